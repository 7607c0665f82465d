import { Metadata, type ServiceError, type StatusObject, status } from "@grpc/grpc-js";
import { isParsecError, ParsecError, type ParsecErrorCode } from "@parsec/core";
import { isErrorCode } from "@parsec/core/transport";
import { codeKey, firstText, notFoundCode } from "./grpc-wire.ts";

/** As much of an error's text as travels, and as much of a foreign one as is repeated. */
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
  [/ECONNREFUSED/, "the connection was refused"],
  [/ECONNRESET|Connection dropped|Socket closed|EPIPE/, "the connection was closed"],
  [/ENOTFOUND|Name resolution failed/, "its name is not known"],
  [/EHOSTUNREACH|ENETUNREACH/, "there is no way to it"],
  [/ETIMEDOUT/, "the connection timed out"],
  [/altnames/i, "its certificate is for another name"],
  [/self-signed|unable to verify|certificate/i, "its certificate is not trusted, or ours is not"],
];

/** What a call ends with: code, details and the typed code in a trailer. */
export interface CallStatus {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** Something asked for by name is not here: no failure, but gRPC has no other way to say it. */
export class NotFound extends Error {}

/** How a failure is reported to whoever called. Says nothing of what is no `ParsecError`. */
export function statusOf(error: unknown): CallStatus {
  if (error instanceof NotFound) return callStatus(status.NOT_FOUND, notFoundCode, error.message);
  const typed = isParsecError(error)
    ? error
    : new ParsecError("ORIGIN_FAILED", "the owner failed in an unexpected way");
  return callStatus(statusByCode[typed.code] ?? status.UNKNOWN, typed.code, typed.message);
}

function callStatus(code: status, typedCode: string, message: string): CallStatus {
  const metadata = new Metadata();
  metadata.set(codeKey, typedCode);
  return { code, details: asDetails(message), metadata };
}

/** Short, and without the halves of characters that gRPC cannot send. */
function asDetails(message: string): string {
  const short = message.length > maxDetails ? message.slice(0, maxDetails) : message;
  return short.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** Turns whatever went wrong on the way to a peer into `PEER_UNREACHABLE`, with the cause kept. */
export function unreachable(peerId: string, cause: unknown): ParsecError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const known = isParsecError(cause) ? undefined : reasons.find(([one]) => one.test(message))?.[1];
  const reason = known ?? message.slice(0, maxDetails);
  return new ParsecError("PEER_UNREACHABLE", `${peerId} cannot be asked: ${reason}`, { cause });
}

/**
 * What a call or stream to a peer that failed means. `TIMEOUT` and `OVERLOADED` stay what they are;
 * all else is `PEER_UNREACHABLE`, with the peer's own error as its cause when it named one.
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

/** The error that a node of this package ended a call with. */
function typedError(ended: StatusObject): ParsecError | undefined {
  const named = firstText(ended.metadata, codeKey) ?? "";
  const code = isErrorCode(named) ? named : codeByStatus[ended.code];
  return code === undefined ? undefined : new ParsecError(code, `${code}: ${ended.details}`);
}

/** Whether the connection broke, so that asking again on a new one is worth while. */
export function wasConnectionLost(error: unknown): boolean {
  if (!isServiceError(error)) return false;
  return [status.UNAVAILABLE, status.INTERNAL, status.CANCELLED].includes(error.code);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number";
}

/** Why one frame of a stream is not answered, as it travels. */
export function encodeRefusal(error: unknown): Buffer {
  const { code, message } = isParsecError(error)
    ? error
    : new ParsecError("ORIGIN_FAILED", "the owner failed in an unexpected way");
  return Buffer.from(`${code} ${message.slice(0, maxDetails)}`, "utf8");
}

/** What a peer meant by refusing one frame. `OVERLOADED` stays; the rest is `PEER_UNREACHABLE`. */
export function refusedFrame(peerId: string, body: Buffer): ParsecError {
  const [code = "", ...words] = body
    .subarray(0, 4 * maxDetails)
    .toString("utf8")
    .split(" ");
  const message = words.join(" ").slice(0, maxDetails);
  if (!isErrorCode(code)) {
    return new ParsecError("PEER_UNREACHABLE", `${peerId} refused for a reason unknown here`);
  }
  const cause = new ParsecError(code, message);
  const text = `${peerId} refused a frame: ${code}: ${message}`;
  return new ParsecError(code === "OVERLOADED" ? code : "PEER_UNREACHABLE", text, { cause });
}
