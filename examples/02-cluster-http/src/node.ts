import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { clusterConfigFromEnv, createDataSourceClusterRegistry } from "@parsec/core";
import { createHttpPeers } from "@parsec/transport-http";

/*
 * One node of an application that shows users. Every node runs this, with its own PARSEC_SELF_URL and
 * the same PARSEC_PEER_URLS, PEER_SECRET and ORIGIN_URL.
 */

export interface User {
  readonly name: string;
  readonly role: string;
}

const { selfUrl, peerUrls } = clusterConfigFromEnv();
const { PEER_SECRET = "", ORIGIN_URL = "" } = process.env;

const peers = createHttpPeers({ selfUrl, peerUrls, secret: PEER_SECRET });
const registry = createDataSourceClusterRegistry({ peers });
const users = registry.register(
  {
    name: "users",
    cacheKey: (id: string) => id,
    async fetch(id, { signal }) {
      const response = await fetch(`${ORIGIN_URL}/${encodeURIComponent(id)}`, { signal });
      if (response.status === 404) return undefined;
      if (!response.ok) throw new Error(`the origin answered ${response.status}`);
      return (await response.json()) as User;
    },
  },
  { ttlMs: 300_000 },
);

// Peers and users come to the same port: the handler takes what is its own.
const server = createServer((request, response) => {
  peers.handler(request, response, () => {
    answer(request, response).catch(() => response.writeHead(503).end());
  });
});

/** GET /alice shows a user; DELETE /alice drops her from every node's memory. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const id = decodeURIComponent(request.url?.slice(1) ?? "");
  const isChange = request.method === "DELETE";
  const body = isChange ? await users.invalidate(id) : await users.get(id);
  response.writeHead(body === undefined ? 404 : 200).end(JSON.stringify(body));
}

async function stop(): Promise<void> {
  server.close();
  await registry.close();
  process.exit();
}
process.once("SIGTERM", stop);
process.once("disconnect", stop); // whoever forked this process has gone

const { hostname, port } = new URL(selfUrl);
server.listen(Number(port), hostname, () => process.send?.("ready"));
