import type { ServerResponse } from "node:http";

/** Answers with JSON and, for people at a terminal, a line end. Does nothing when the client has gone or an answer was already begun. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": bytes.length,
    ...headers,
  });
  response.end(response.req.method === "HEAD" ? undefined : bytes);
}
