import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { OriginCommand, OriginCount } from "../origin/origin.ts";

/*
 * The system of record: a version for each key, served over HTTP, and a count of fetches. The test that
 * forked it controls its behaviour and reads the counts by messages.
 */

const versions = new Map<string, number>();
const counts = new Map<string, { fetches: number; open: number; mostOpen: number }>();
const held = new Set<() => void>();
let delayMs: readonly [number, number] = [1, 3];
let heldPrefix: string | undefined;

async function serveValue(key: string, response: ServerResponse): Promise<void> {
  const count = counts.get(key) ?? { fetches: 0, open: 0, mostOpen: 0 };
  counts.set(key, count);
  count.fetches++;
  count.open++;
  count.mostOpen = Math.max(count.mostOpen, count.open);
  response.once("close", () => count.open--);
  // Read before the delay, so that an answer may be outdated when it arrives.
  const version = versions.get(key) ?? 1;
  if (heldPrefix !== undefined && key.startsWith(heldPrefix)) {
    await new Promise<void>((release) => held.add(release));
  } else await pause(delayMs[0] + Math.random() * (delayMs[1] - delayMs[0]));
  response.end(JSON.stringify({ key, version, text: `value of ${key} `.repeat(8) }));
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const key = decodeURIComponent(request.url?.replace("/values/", "") ?? "");
  if (request.method === "GET") {
    void serveValue(key, response);
    return;
  }
  const version = (versions.get(key) ?? 1) + 1;
  versions.set(key, version);
  response.end(JSON.stringify({ version }));
}

function perform(command: OriginCommand): unknown {
  switch (command.kind) {
    case "counts":
      return [...counts]
        .filter(([key]) => key.startsWith(command.keyPrefix))
        .map(([key, { fetches, mostOpen }]): OriginCount => ({ key, fetches, mostOpen }));
    case "delay":
      delayMs = command.betweenMs;
      return undefined;
    case "hold":
      heldPrefix = command.keyPrefix;
      return undefined;
    case "release":
      heldPrefix = undefined;
      for (const release of held) release();
      held.clear();
      return undefined;
  }
}

const server = createServer(serve);
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ number: 0, result: `http://127.0.0.1:${port}` });
});
process.on("message", (message: { readonly number: number; readonly call: OriginCommand }) => {
  process.send?.({ number: message.number, result: perform(message.call) });
});
// The parent process has ended.
process.once("disconnect", () => process.exit());
