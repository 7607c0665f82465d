import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { GroupStats } from "@parsec/core";

/* Starts three nodes, sends requests, and prints the counters of the nodes and the answer to a Go node. */

const peerUrls = await freeUrls(3);
const nodes = peerUrls.map((selfUrl) =>
  fork(new URL("./node.js", import.meta.url), {
    env: { PARSEC_SELF_URL: selfUrl, PARSEC_PEER_URLS: peerUrls.join(",") },
  }),
);
await Promise.all(nodes.map((node) => once(node, "message")));

const number = 600_851_475_143;
const requests = peerUrls.flatMap((url) =>
  Array.from({ length: 50 }, () => get(`${url}/${number}`)),
);
const answers = new Set(await Promise.all(requests));
console.log(`${number} = ${[...answers].join(" or ")}`);

const stats = await Promise.all(
  peerUrls.map(async (url) => JSON.parse(await get(`${url}/stats`)) as GroupStats),
);
const loads = stats.reduce((sum, { localLoads }) => sum + localLoads, 0);
console.log(`${requests.length} gets on ${nodes.length} nodes, loaded ${loads} time`);

// The request of a Go node to a peer; the answer is a protobuf message: tag, length, value, rate.
const response = await fetch(`${peerUrls[0]}/_groupcache/factors/${number}`);
const [, length = 0, ...rest] = Buffer.from(await response.arrayBuffer());
console.log(`answer to a Go node: ${Buffer.from(rest.slice(0, length))}`);

for (const node of nodes) node.kill("SIGTERM");

async function get(url: string): Promise<string> {
  return await (await fetch(url)).text();
}

/** URLs with free ports. */
async function freeUrls(count: number): Promise<string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports.map((port) => `http://127.0.0.1:${port}`);
}
