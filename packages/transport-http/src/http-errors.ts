import { isParsecError, ParsecError, type ParsecErrorCode } from "@parsec/core";
import { errorFromOwner, isErrorCode } from "@parsec/core/transport";
import { codeHeader, notFoundCode } from "./http-wire.ts";

/** Bytes of a failed response's body that are read. */
export const maxErrorBytes = 4096;
/** Characters of it that are quoted in an error message. */
const maxQuoted = 200;

/** The parts of an HTTP response from which errors are made. */
export interface FailedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EPIPE: "connection closed",
  ENOTFOUND: "unknown host name",
  EAI_AGAIN: "DNS lookup failed, try again",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ETIMEDOUT: "connection timed out",
  UND_ERR_CONNECT_TIMEOUT: "connection attempt timed out",
  UND_ERR_SOCKET: "connection closed",
  UND_ERR_DESTROYED: "connection closed by this node",
  UND_ERR_CLOSED: "connection closed by this node",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the response does not have its declared content-length",
  UND_ERR_HEADERS_OVERFLOW: "the response headers are too large",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the peer's certificate is not trusted",
  SELF_SIGNED_CERT_IN_CHAIN: "the peer's certificate is not trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the peer's certificate is not trusted",
  ERR_TLS_CERT_ALTNAME_INVALID: "the peer's certificate is for another name",
  CERT_HAS_EXPIRED: "the peer's certificate has expired",
  MALFORMED_FRAME: "malformed response",
  FRAME_TOO_LARGE: "the response is too large",
};

/** Turns any failure of a request to a peer into `PEER_UNREACHABLE`, with the failure as its cause. */
export function unreachable(peerId: string, cause: unknown): ParsecError {
  const code = codeOf(cause);
  const known = isParsecError(cause) ? `: ${cause.message}` : "";
  const reason = reasons[code] ?? (code.startsWith("HPE_") ? "the response is not HTTP" : code);
  return new ParsecError("PEER_UNREACHABLE", `${peerId} is unreachable: ${reason}${known}`, {
    cause,
  });
}

/** Whether the peer closed the connection, so that a retry on a new one is worthwhile. */
export function wasConnectionLost(error: unknown): boolean {
  return ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  if (typeof error === "object" && error !== null && "code" in error) {
    if (typeof error.code === "string") return error.code;
  }
  return error instanceof Error ? error.name : "unknown failure";
}

/** The error for a frame that a peer rejected as a whole: `OVERLOADED` when the peer is, else `PEER_UNREACHABLE`. */
export function refusedFrame(peerId: string, response: FailedResponse): ParsecError {
  const { status } = response;
  const refusal = parseRefusal(response.body);
  if (refusal === undefined) {
    const hint =
      status === 400 || status === 404 || status === 405
        ? '; set peerWire to "golang" if it is a Go groupcache node'
        : "";
    return new ParsecError(
      "PEER_UNREACHABLE",
      `${peerId}: unexpected ${status}: not a Parsec peer${hint}`,
    );
  }
  const message = `${peerId} answered ${status} ${refusal.code}: ${refusal.message}`;
  if (refusal.code === "OVERLOADED") return new ParsecError("OVERLOADED", message);
  const cause = new ParsecError(refusal.code, refusal.message);
  return new ParsecError("PEER_UNREACHABLE", message, { cause });
}

function parseRefusal(
  body: Buffer,
): { readonly code: ParsecErrorCode; readonly message: string } | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const { code, message } = parsed as { readonly code?: unknown; readonly message?: unknown };
  if (typeof code !== "string" || !isErrorCode(code)) return undefined;
  return { code, message: typeof message === "string" ? message.slice(0, maxQuoted) : "" };
}

/**
 * The error for a GET that was answered with another status than 200; undefined when the origin has no
 * value for the key. Parsec nodes send the code in a header. Go nodes answer 404 for an unknown group, and
 * for a failing getter 500 (golang) or 503 (groupcache-go v3, mailgun) with its text; groupcache-go v3
 * answers 404 for a missing value, too. Any other answer, such as 431 for a long key, is
 * `PEER_UNREACHABLE`, so that this key is loaded elsewhere.
 */
export function failedGet(peerId: string, response: FailedResponse): ParsecError | undefined {
  const { status, headers, body } = response;
  const code = headers[codeHeader];
  const text = body.toString("utf8").trim().slice(0, maxQuoted);
  if (status === 404 && code === notFoundCode) return undefined;
  if (typeof code === "string" && isErrorCode(code)) {
    return errorFromOwner(new ParsecError(code, `${peerId}: ${text}`));
  }
  if (status === 404 && text.startsWith("no such group")) {
    return new ParsecError("NO_SUCH_GROUP", `${peerId}: ${text}`);
  }
  // Pages in HTML are from proxies, and this text from a mux without the pool.
  const isFromPool = isPlainText(headers["content-type"]) && text !== "404 page not found";
  if (status === 404 && isFromPool) return undefined;
  if (status === 500 || (status === 503 && isFromPool)) {
    return new ParsecError("ORIGIN_FAILED", `${peerId}: ${text}`);
  }
  return new ParsecError("PEER_UNREACHABLE", `${peerId} answered ${status} for this key`);
}

function isPlainText(contentType: string | string[] | undefined): boolean {
  return contentType === undefined || String(contentType).startsWith("text/plain");
}
