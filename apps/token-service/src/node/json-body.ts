import type { IncomingMessage } from "node:http";
import { ParsecError } from "@parsec/core";

/** A refused request, with the status and the text of the response. */
export class RefusedRequest extends ParsecError {
  readonly status: number;
  /** The `error` of the response. */
  readonly error: string;

  constructor(status: number, error: string, description: string) {
    super("INVALID_ARGUMENT", description);
    this.status = status;
    this.error = error;
  }
}

/** Reads a JSON object. Rejects with a {@link RefusedRequest} of status 400, 413 or 415. */
export async function readJsonObject(
  request: IncomingMessage,
  options: { readonly maxBytes: number },
): Promise<Record<string, unknown>> {
  const [type = ""] = (request.headers["content-type"] ?? "").split(";");
  if (type.trim().toLowerCase() !== "application/json") {
    throw new RefusedRequest(
      415,
      "unsupported_media_type",
      "content-type must be application/json",
    );
  }
  const text = await readText(request, options.maxBytes);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new RefusedRequest(400, "invalid_request", "body must be JSON");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new RefusedRequest(400, "invalid_request", "body must be a JSON object");
  }
  return body as Record<string, unknown>;
}

/** Uses events, because leaving a `for await` loop would destroy the socket before the response is sent. */
function readText(request: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (finish: () => void): void => {
      request.removeAllListeners("data").removeAllListeners("end");
      request.off("close", onClose).off("error", onClose);
      finish();
    };
    const onClose = (): void => settle(() => reject(new Error("client disconnected")));
    request.on("close", onClose).on("error", onClose);
    request.on("end", () => settle(() => resolve(Buffer.concat(chunks).toString("utf8"))));
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else {
        const description = `body must have at most ${maxBytes} bytes`;
        settle(() => reject(new RefusedRequest(413, "too_large", description)));
      }
    });
  });
}
