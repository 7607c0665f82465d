import type { IncomingMessage } from "node:http";
import { ParsecError } from "@parsec/core";

/** A request that an endpoint refuses, with the status and what to tell the caller. */
export class RefusedRequest extends ParsecError {
  readonly status: number;
  /** What the `error` member of the answer says. */
  readonly error: string;

  constructor(status: number, error: string, description: string) {
    super("INVALID_ARGUMENT", description);
    this.status = status;
    this.error = error;
  }
}

/** Reads a JSON object. Rejects with a {@link RefusedRequest} for 400, 413 and 415. */
export async function readJsonObject(
  request: IncomingMessage,
  options: { readonly maxBytes: number },
): Promise<Record<string, unknown>> {
  const [type = ""] = (request.headers["content-type"] ?? "").split(";");
  if (type.trim().toLowerCase() !== "application/json") {
    throw new RefusedRequest(415, "unsupported_media_type", "the body must be application/json");
  }
  const text = await readText(request, options.maxBytes);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new RefusedRequest(400, "invalid_request", "the body is no JSON");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new RefusedRequest(400, "invalid_request", "the body must be a JSON object");
  }
  return body as Record<string, unknown>;
}

/** By events, not by iteration: leaving an iteration destroys the socket before the refusal is sent. */
function readText(request: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (finish: () => void): void => {
      request.removeAllListeners("data").removeAllListeners("end");
      request.off("close", onClose).off("error", onClose);
      finish();
    };
    const onClose = (): void => settle(() => reject(new Error("the client left")));
    request.on("close", onClose).on("error", onClose);
    request.on("end", () => settle(() => resolve(Buffer.concat(chunks).toString("utf8"))));
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else {
        const description = `the body is larger than ${maxBytes} bytes`;
        settle(() => reject(new RefusedRequest(413, "too_large", description)));
      }
    });
  });
}
