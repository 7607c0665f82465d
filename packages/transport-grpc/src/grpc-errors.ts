import { Metadata, type ServiceError, type StatusObject, status } from "@grpc/grpc-js";
import { isParsecError, ParsecError, type ParsecErrorCode } from "@parsec/core";
import { isErrorCode } from "@parsec/core/transport";
import { codeKey, firstText, notFoundCode } from "./grpc-wire.ts";

/** Maximum length of an error message that is sent, and of a foreign one that is quoted. */
const maxDetails = 512;

const statusByCode: Readonly<Record<ParsecErrorCode, status>> = {
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  DUPLICATE_NAME: status.ALREADY_EXISTS,
  NO_SUCH_GROUP: status.NOT_FOUND,
  INVALID_KEY: status.INVALID_ARGUMENT,
  KEY_TOO_LARGE: status.INVALID_ARGUMENT,
  VALUE_TOO_LARGE: status.RESOURCE_EXHAUSTED,
  ORIGIN_FAILED: status.INTERNAL,
  CODEC_FAILED: status.INTERNAL,
  TIMEOUT: status.DEADLINE_EXCEEDED,
  ABORTED: status.CANCELLED,
  PEER_UNREACHABLE: status.FAILED_PRECONDITION,
  MALFORMED_FRAME: status.INVALID_ARGUMENT,
  FRAME_TOO_LARGE: status.RESOURCE_EXHAUSTED,
  UNAUTHENTICATED: status.UNAUTHENTICATED,
  OVERLOADED: status.RESOURCE_EXHAUSTED,
  CLOSED: status.UNAVAILABLE,
};

const codeByStatus: Readonly<Partial<Record<status, ParsecErrorCode>>> = {
  [status.CANCELLED]: "ABORTED",
  [status.DEADLINE_EXCEEDED]: "TIMEOUT",
  [status.UNAUTHENTICATED]: "UNAUTHENTICATED",
  [status.PERMISSION_DENIED]: "UNAUTHENTICATED",
  [status.INVALID_ARGUMENT]: "MALFORMED_FRAME",
};

const reasons: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/ECONNREFUSED/, "connection refused"],
  [/ECONNRESET|Connection dropped|Socket closed|EPIPE/, "connection closed"],
  [/ENOTFOUND|Name resolution failed/, "unknown host name"],
  [/EHOSTUNREACH|ENETUNREACH/, "host unreachable"],
  [/ETIMEDOUT/, "connection timed out"],
  [/altnames/i, "the peer's certificate is for another name"],
  [
    /self-signed|unable to verify|certificate/i,
    "the peer's certificate or this node's is not trusted",
  ],
];

/** The status of a failed call: gRPC code, details, and the `ParsecErrorCode` in a trailer. */
export interface CallStatus {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** Reported as gRPC's NOT_FOUND: the key has no value, or the service is unknown. */
export class NotFound extends Error {}

/** The status for an error. The text of an error that is not a `ParsecError` is not revealed. */
export function statusOf(error: unknown): CallStatus {
  if (error instanceof NotFound) return callStatus(status.NOT_FOUND, notFoundCode, error.message);
  const typed = isParsecError(error)
    ? error
    : new ParsecError("ORIGIN_FAILED", "internal error on the owner (see its log)");
  return callStatus(statusByCode[typed.code] ?? status.UNKNOWN, typed.code, typed.message);
}

function callStatus(code: status, typedCode: string, message: string): CallStatus {
  const metadata = new Metadata();
  metadata.set(codeKey, typedCode);
  return { code, details: asDetails(message), metadata };
}

/** Truncates the message and replaces lone surrogates, which gRPC cannot send. */
function asDetails(message: string): string {
  const short = message.length > maxDetails ? message.slice(0, maxDetails) : message;
  return short.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** Turns any failure of a call to a peer into `PEER_UNREACHABLE`, with the failure as its cause. */
export function unreachable(peerId: string, cause: unknown): ParsecError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const known = isParsecError(cause) ? undefined : reasons.find(([one]) => one.test(message))?.[1];
  const reason = known ?? message.slice(0, maxDetails);
  return new ParsecError("PEER_UNREACHABLE", `${peerId} is unreachable: ${reason}`, { cause });
}

/**
 * The error for a failed call or stream to a peer: `TIMEOUT` and `OVERLOADED` are kept, all others
 * become `PEER_UNREACHABLE` with the peer's error as cause.
 */
export function errorFromCall(peerId: string, error: unknown): ParsecError {
  if (!isServiceError(error)) return unreachable(peerId, error);
  if (error.code === status.DEADLINE_EXCEEDED) {
    return new ParsecError("TIMEOUT", `${peerId} did not answer in time`, { cause: error });
  }
  const typed = typedError(error);
  if (typed?.code === "OVERLOADED") {
    return new ParsecError("OVERLOADED", `${peerId}: ${typed.message}`, { cause: error });
  }
  return unreachable(peerId, typed ?? error);
}

/** The error with which a Parsec node ended a call. */
function typedError(ended: StatusObject): ParsecError | undefined {
  const named = firstText(ended.metadata, codeKey) ?? "";
  const code = isErrorCode(named) ? named : codeByStatus[ended.code];
  return code === undefined ? undefined : new ParsecError(code, `${code}: ${ended.details}`);
}

/** Whether the connection was lost, so that a retry on a new one is worthwhile. */
export function wasConnectionLost(error: unknown): boolean {
  if (!isServiceError(error)) return false;
  return [status.UNAVAILABLE, status.INTERNAL, status.CANCELLED].includes(error.code);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number";
}
