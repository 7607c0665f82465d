import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/*
 * The lower bound for a cache node: node:http and a Map in one process, without replication.
 * Prints its URL; ends on SIGTERM.
 */

const values = new Map<string, string>();
const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
  let answer: object;
  if (pathname === "/set") {
    const { key, value } = JSON.parse(await bodyOf(request)) as Record<"key" | "value", string>;
    values.set(key, value);
    answer = { success: true, node: "bare" };
  } else {
    answer = { found: true, value: values.get(searchParams.get("key") ?? ""), node: "bare" };
  }
  const body = Buffer.from(JSON.stringify(answer));
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
});
process.once("SIGTERM", () => process.exit(0));
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
