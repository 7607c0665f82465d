import { isParsecError, ParsecError } from "@parsec/core";
import { WriteConflict } from "../coordinator/coordinator.ts";

const maxQuoted = 200;
/** "wrong last sequence", in its two forms. */
const conflictCodes: readonly unknown[] = [10071, 10164];
const streamNotFound = 10059;

/** Whatever went wrong with NATS, in our words. `UNAUTHENTICATED` when it does not accept who we are. */
export function natsFailed(what: string, cause: unknown): ParsecError {
  if (isParsecError(cause)) return cause;
  const refused = [
    "AuthorizationError",
    "UserAuthenticationExpiredError",
    "PermissionViolationError",
  ];
  const code = refused.some((name) => chainHas(cause, name))
    ? "UNAUTHENTICATED"
    : isNamed(cause, "TimeoutError")
      ? "TIMEOUT"
      : "PEER_UNREACHABLE";
  return new ParsecError(code, `${what}: ${describeError(cause)}`, { cause });
}

/** Why a record was not written, or nobody knows whether it was. */
export function writeFailed(key: string, cause: unknown): ParsecError {
  if (conflictCodes.includes(apiCode(cause))) return new WriteConflict(key);
  return natsFailed(`NATS did not store ${key}`, cause);
}

export function isStreamMissing(cause: unknown): boolean {
  return apiCode(cause) === streamNotFound || chainHas(cause, "StreamNotFoundError");
}

/** Whether nobody at all answers for the stream: it was deleted, or its servers elect a leader. */
export function isNobodyThere(cause: unknown): boolean {
  return (
    isStreamMissing(cause) ||
    isWithoutJetStream(cause) ||
    chainHas(cause, "NoRespondersError") ||
    chainHas(cause, "NoResponders")
  );
}

export function isWithoutJetStream(cause: unknown): boolean {
  return chainHas(cause, "JetStreamNotEnabled");
}

export function withoutJetStream(cause: unknown): ParsecError {
  return new ParsecError(
    "INVALID_ARGUMENT",
    "the ring keeps its table in JetStream, but the NATS server or account has none: enable it",
    { cause },
  );
}

function apiCode(cause: unknown): unknown {
  return (cause as { readonly code?: unknown } | null)?.code;
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

function chainHas(error: unknown, name: string): boolean {
  for (let link = error, depth = 0; link instanceof Error && depth < 8; depth++) {
    if (link.name === name) return true;
    link = link.cause;
  }
  return false;
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return "it failed";
  const detail = error.message === "" ? error.name : error.message;
  return detail.replaceAll("\n", " ").slice(0, maxQuoted);
}
