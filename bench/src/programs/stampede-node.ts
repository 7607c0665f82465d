import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { createDataSourceClusterRegistry, type DataSourceHandle } from "@parsec/core";
import { createHttpPeers } from "@parsec/transport-http";

/*
 * One node of the stampede. Prints its URL; reads commands, one JSON a line: {"peerUrls":[…]} joins
 * them, {"key":"…","callers":n} lets so many callers ask at once and prints fetches and milliseconds.
 */

interface Command {
  readonly peerUrls?: readonly string[];
  readonly key?: string;
  readonly callers?: number;
}

const server = createServer();
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const selfUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
let fetches = 0;
let values: DataSourceHandle<string, string> | undefined;
process.stdout.write(`${selfUrl}\n`);
process.once("SIGTERM", () => process.exit(0));

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command;
  if (command.peerUrls !== undefined) join(command.peerUrls);
  if (command.key !== undefined) await stampede(command.key, command.callers ?? 1);
}

function join(peerUrls: readonly string[]): void {
  const peers = createHttpPeers({ selfUrl, peerUrls });
  server.on("request", peers.handler);
  values = createDataSourceClusterRegistry({ peers }).register<string, string>({
    name: "values",
    cacheKey: (key) => key,
    async fetch() {
      fetches++;
      await delay(50);
      return "x".repeat(256);
    },
  });
  process.stdout.write("joined\n");
}

async function stampede(key: string, callers: number): Promise<void> {
  fetches = 0;
  const start = performance.now();
  await Promise.all(Array.from({ length: callers }, () => values?.get(key)));
  const elapsedMs = performance.now() - start;
  process.stdout.write(`${JSON.stringify({ fetches, elapsedMs })}\n`);
}
