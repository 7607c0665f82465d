import { isParsecError, ParsecError, type ParsecErrorCode } from "@parsec/core";
import { errorFromOwner, isErrorCode } from "@parsec/core/transport";
import { codeHeader, notFoundCode } from "./http-wire.ts";

/** As much of a failed response's text as is looked at. */
export const maxErrorBytes = 4096;
/** As much of it as is repeated in an error here. */
const maxQuoted = 200;

/** What an HTTP client gives back, as far as errors are concerned. */
export interface FailedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was closed",
  ENOTFOUND: "its name is not known",
  EAI_AGAIN: "its name could not be looked up",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no way to its network",
  ETIMEDOUT: "the connection timed out",
  UND_ERR_CONNECT_TIMEOUT: "no connection was made in time",
  UND_ERR_SOCKET: "the connection was closed",
  UND_ERR_DESTROYED: "the connection was given up",
  UND_ERR_CLOSED: "the connection was closed",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "its answer is not as long as it said",
  UND_ERR_HEADERS_OVERFLOW: "the head of its answer is too large",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is not trusted",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is not trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not trusted",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  CERT_HAS_EXPIRED: "its certificate has expired",
  MALFORMED_FRAME: "its answer cannot be read",
  FRAME_TOO_LARGE: "its answer is larger than allowed",
};

/** Turns whatever went wrong on the way to a peer into `PEER_UNREACHABLE`, with the cause kept. */
export function unreachable(peerId: string, cause: unknown): ParsecError {
  const code = codeOf(cause);
  const known = isParsecError(cause) ? `: ${cause.message}` : "";
  const reason = reasons[code] ?? (code.startsWith("HPE_") ? "it does not speak HTTP" : code);
  return new ParsecError("PEER_UNREACHABLE", `${peerId} cannot be asked: ${reason}${known}`, {
    cause,
  });
}

/** Whether an idle connection was closed under our feet, so that asking again is worth while. */
export function wasConnectionLost(error: unknown): boolean {
  return ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  if (typeof error === "object" && error !== null && "code" in error) {
    if (typeof error.code === "string") return error.code;
  }
  return error instanceof Error ? error.name : "it failed";
}

/** What a peer meant by refusing a whole frame. `OVERLOADED` stays; the rest is `PEER_UNREACHABLE`. */
export function refusedFrame(peerId: string, response: FailedResponse): ParsecError {
  const { status } = response;
  const refusal = parseRefusal(response.body);
  if (refusal === undefined) {
    const hint =
      status === 400 || status === 404 || status === 405
        ? '; is it a Go groupcache, which needs peerWire: "golang"?'
        : "";
    return new ParsecError(
      "PEER_UNREACHABLE",
      `${peerId} answered ${status} like no node of this package${hint}`,
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
 * What a failed GET means; undefined when the origin has nothing under the key. Go nodes say 404 for
 * an unknown group and 500 with the text of the getter's error; ours name the code in a header.
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
  if (status === 500) return new ParsecError("ORIGIN_FAILED", `${peerId}: ${text}`);
  return new ParsecError("PEER_UNREACHABLE", `${peerId} answered ${status}`);
}
