import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/* Starts three nodes and an origin that counts its queries, and prints each result. */

let queries = 0;
const origin = createServer((request, response) => {
  queries += 1;
  response.end(JSON.stringify({ name: `User ${request.url?.slice(1)}` }));
});
origin.listen(0, "127.0.0.1");
await once(origin, "listening");

const peerUrls = await freeUrls(3);
const nodes = peerUrls.map((selfUrl) =>
  fork(new URL("./node.js", import.meta.url), {
    env: {
      PARSEC_SELF_URL: selfUrl,
      PARSEC_PEER_URLS: peerUrls.join(","),
      ORIGIN_URL: urlOf(origin.address()),
    },
  }),
);
await Promise.all(nodes.map((node) => once(node, "message")));
console.log(`${nodes.length} nodes are ready`);

const ids = Array.from({ length: 100 }, (_, index) => String(index));
await Promise.all(nodes.map((node) => getMany(node, ids)));
console.log(`getMany of the same ${ids.length} users on each node: ${queries} queries`);

await Promise.all(nodes.map((node) => getMany(node, ids)));
console.log(`the same again: still ${queries} queries`);

const [victim, ...others] = nodes;
victim?.kill("SIGKILL");
const found = await Promise.all(others.map((node) => getMany(node, ids)));
const counts = found.map((names) => names.length).join(" and ");
console.log(`after one node was killed, the others return ${counts} users`);
console.log(`the last user is ${found[0]?.at(-1)}`);

for (const node of others) node.kill("SIGTERM");
origin.close();

/** The names of the users that a node returns. */
async function getMany(node: ChildProcess, wanted: readonly string[]): Promise<readonly string[]> {
  node.send(wanted);
  const [names] = (await once(node, "message")) as [(string | null)[]];
  return names.filter((name) => name !== null);
}

/** URLs with free ports. */
async function freeUrls(count: number): Promise<string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const urls = servers.map((server) => urlOf(server.address()));
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return urls;
}

function urlOf(address: AddressInfo | string | null): string {
  return `http://127.0.0.1:${(address as AddressInfo).port}`;
}
