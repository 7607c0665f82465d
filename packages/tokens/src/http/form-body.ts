import type { IncomingMessage } from "node:http";
import { OAuthError } from "../exchange/oauth-error.ts";

/** The body is too large; reported with status 413. */
export class BodyTooLargeError extends OAuthError {
  constructor(maxBytes: number) {
    super("invalid_request", `body must have at most ${maxBytes} bytes`);
  }
}

/**
 * Reads an `application/x-www-form-urlencoded` body in UTF-8. Rejects with `invalid_request` for
 * another type, charset or encoding and for invalid UTF-8; with {@link BodyTooLargeError}, without
 * reading the rest, when it is too large; and with an `Error` when the client disconnects.
 */
export async function readForm(
  request: IncomingMessage,
  options: { readonly maxBytes: number },
): Promise<URLSearchParams> {
  checkContentType(request);
  const { maxBytes } = options;
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) {
    throw new BodyTooLargeError(maxBytes);
  }
  const bytes = await readBytes(request, maxBytes);
  try {
    return new URLSearchParams(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new OAuthError("invalid_request", "body must be UTF-8", { cause });
  }
}

function checkContentType(request: IncomingMessage): void {
  const [type = "", ...parameters] = (request.headers["content-type"] ?? "").split(";");
  if (type.trim().toLowerCase() !== "application/x-www-form-urlencoded") {
    const description = "content-type must be application/x-www-form-urlencoded";
    throw new OAuthError("invalid_request", description);
  }
  for (const parameter of parameters) {
    const [name = "", value = ""] = parameter.split("=");
    if (name.trim().toLowerCase() !== "charset") continue;
    if (!/^"?utf-?8"?$/i.test(value.trim())) {
      throw new OAuthError("invalid_request", "charset must be utf-8");
    }
  }
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    throw new OAuthError("invalid_request", "body must not be compressed");
  }
}

/** Uses events, because leaving a `for await` loop would destroy the socket before the response is sent. */
function readBytes(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > maxBytes) finish(() => reject(new BodyTooLargeError(maxBytes)));
      else chunks.push(chunk);
    };
    const onEnd = (): void => finish(() => resolve(Buffer.concat(chunks)));
    const onClose = (): void => finish(() => reject(new Error("client disconnected")));
    const finish = (settle: () => void): void => {
      request.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
      settle();
    };
    request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  });
}
