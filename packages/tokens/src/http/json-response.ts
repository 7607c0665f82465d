import type { ServerResponse } from "node:http";

/** Responds with JSON and a newline, which terminals need. Does nothing when the client has disconnected or headers were sent. */
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
