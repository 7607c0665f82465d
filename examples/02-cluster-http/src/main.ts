import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { User } from "./node.ts";

/* Starts three nodes and an origin that counts its queries, and prints each result. */

let role = "reader";
let queries = 0;
const origin = createServer((_request, response) => {
  queries += 1;
  response.end(JSON.stringify({ name: "Alice", role }));
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

const requests = peerUrls.flatMap((url) => Array.from({ length: 100 }, () => getAlice(url)));
await Promise.all(requests);
console.log(`${requests.length} concurrent requests, 100 to each node: ${queries} query`);

role = "admin";
const response = await fetch(`${peerUrls[0]}/alice`, { method: "DELETE" });
const { acknowledged } = (await response.json()) as { readonly acknowledged: readonly string[] };
console.log(`alice became an admin: invalidated on ${acknowledged.length} nodes`);

const answers = await Promise.all(peerUrls.map(getAlice));
console.log(
  `the nodes return ${answers.map((user) => user.role).join(", ")}; ${queries} queries so far`,
);

nodes[0]?.kill("SIGKILL");
const others = await Promise.all(peerUrls.slice(1).map(getAlice));
console.log(
  `after one node was killed, the others return ${others.map((user) => user.role).join(", ")}`,
);

for (const node of nodes.slice(1)) node.kill("SIGTERM");
origin.close();

async function getAlice(nodeUrl: string): Promise<User> {
  const answer = await fetch(`${nodeUrl}/alice`);
  return (await answer.json()) as User;
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
