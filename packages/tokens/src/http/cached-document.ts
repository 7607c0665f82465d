import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

/** A JSON document that clients may cache. */
export interface CachedDocument {
  readonly bytes: Buffer;
  readonly etag: string;
}

/** Serializes the content once. The ETag is a hash of it. */
export function createCachedDocument(content: unknown): CachedDocument {
  const bytes = Buffer.from(JSON.stringify(content));
  return { bytes, etag: `"${createHash("sha256").update(bytes).digest("base64url")}"` };
}

/** Answers GET and HEAD, with 304 when `if-none-match` matches (RFC 9110 §13.1.2). */
export function sendCachedDocument(
  request: IncomingMessage,
  response: ServerResponse,
  options: { readonly document: CachedDocument; readonly maxAgeMs: number; readonly type: string },
): void {
  const { bytes, etag } = options.document;
  const headers = {
    "cache-control": `public, max-age=${Math.floor(options.maxAgeMs / 1000)}`,
    etag,
  };
  if (matches(request.headers["if-none-match"], etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, {
    ...headers,
    "content-type": options.type,
    "content-length": bytes.length,
  });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

function matches(header: string | undefined, etag: string): boolean {
  const tags = header?.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags?.some((tag) => tag === "*" || tag === etag) ?? false;
}
