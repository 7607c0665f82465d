import type { ServerResponse } from "node:http";

/** Responds with JSON and `cache-control: no-store`. */
export function answerJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  answerText(response, status, {
    text: `${JSON.stringify(body)}\n`,
    type: "application/json",
    headers,
  });
}

/** Responds with text and `cache-control: no-store`. Does nothing when headers were already sent. */
export function answerText(
  response: ServerResponse,
  status: number,
  body: {
    readonly text: string;
    readonly type: string;
    readonly headers?: Readonly<Record<string, string>>;
  },
): void {
  if (response.headersSent || response.destroyed) return;
  const bytes = Buffer.from(body.text);
  response.writeHead(status, {
    "content-type": body.type,
    "content-length": bytes.length,
    "cache-control": "no-store",
    ...body.headers,
  });
  response.end(response.req.method === "HEAD" ? undefined : bytes);
}
