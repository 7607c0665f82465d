import type { ServerResponse } from "node:http";

/** Answers with JSON that nobody may keep. */
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

/** Answers with text that nobody may keep. Does nothing once an answer was begun. */
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
