import { isParsecError, ParsecError } from "@parsec/core";

/** How much of a foreign error's text is repeated. */
const maxQuoted = 200;
/** "wrong last sequence", in its two forms. */
const conflictCodes: readonly unknown[] = [10071, 10164];
const streamNotFound = 10059;
/** "JetStream not enabled for account" and "JetStream not enabled". */
const disabledCodes: readonly unknown[] = [10039, 10076];

/** Errors of the client when no server answers for JetStream. */
const withoutAnswer = ["JetStreamNotEnabled", "NoResponders", "NoRespondersError"];

/** Errors by which a server says that it does not accept this client, or what it does. */
const refusals = [
  "AuthorizationError",
  "UserAuthenticationExpiredError",
  "PermissionViolationError",
];

/**
 * Translates an error of the NATS client; a `ParsecError` stays as it is. `UNAUTHENTICATED` when the
 * server refuses the credentials or lacks a permission, `TIMEOUT` when it did not answer in time, else
 * `PEER_UNREACHABLE`. `what` begins the message.
 */
export function natsFailed(what: string, cause: unknown): ParsecError {
  if (isParsecError(cause)) return cause;
  const isTimeout = cause instanceof Error && cause.name === "TimeoutError";
  const other = isTimeout ? "TIMEOUT" : "PEER_UNREACHABLE";
  const code = refusals.some((name) => causedBy(cause, name)) ? "UNAUTHENTICATED" : other;
  return new ParsecError(code, `${what}: ${describeError(cause)}`, { cause });
}

/** True when a compare-and-set failed because the key has another revision. */
export function isWriteConflict(error: unknown): boolean {
  return conflictCodes.includes(apiCode(error));
}

/** True when the stream of a bucket does not exist. */
export function isStreamMissing(error: unknown): boolean {
  return apiCode(error) === streamNotFound || causedBy(error, "StreamNotFoundError");
}

/** True when JetStream does not answer: it is not enabled, or its servers are electing a leader. */
export function isWithoutJetStream(error: unknown): boolean {
  return isDisabled(error) || withoutAnswer.some((name) => causedBy(error, name));
}

/**
 * True when the server that `client` is connected to has no JetStream, or none for its account. False while a
 * server with JetStream lacks it for a moment, because several elect a leader.
 */
export function lacksJetStream(
  error: unknown,
  client: { readonly info?: { readonly jetstream?: boolean } | undefined },
): boolean {
  // By code first: a server says of itself that it has JetStream also where the account has none.
  if (isDisabled(error)) return true;
  return isWithoutJetStream(error) && client.info?.jetstream !== true;
}

function isDisabled(error: unknown): boolean {
  return chainOf(error).some((link) => disabledCodes.includes(apiCode(link)));
}

/** True when a bucket does not answer: it was deleted, the server lost its disk, or a leader is being elected. */
export function isBucketGone(error: unknown): boolean {
  return isStreamMissing(error) || isWithoutJetStream(error);
}

/** `INVALID_ARGUMENT` for a server or account without JetStream. `need` says what needs it, `remedy` what to do. */
export function withoutJetStream(
  text: { readonly need: string; readonly remedy: string },
  cause: unknown,
): ParsecError {
  return new ParsecError(
    "INVALID_ARGUMENT",
    `${text.need}, but the NATS server or account has no JetStream: ${text.remedy}`,
    { cause },
  );
}

/**
 * True when the error or one of its causes has this name. By name and not by class, because a
 * connection given by the application may come from another copy of the client.
 */
export function causedBy(error: unknown, name: string): boolean {
  return chainOf(error).some((link) => link.name === name);
}

/** The error and its causes, eight at most. */
function chainOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let link = error; link instanceof Error && chain.length < 8; link = link.cause) {
    chain.push(link);
  }
  return chain;
}

/** One line of an error's text, cut to 200 characters. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return "it failed";
  const detail = error.message === "" ? error.name : error.message;
  return detail.replaceAll("\n", " ").slice(0, maxQuoted);
}

function apiCode(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null)?.code;
}
