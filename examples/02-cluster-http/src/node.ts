import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { clusterConfigFromEnv, createDataSourceClusterRegistry } from "@parsec/core";
import { createHttpPeers } from "@parsec/transport-http";

/*
 * One node of an application that serves users. All nodes run this program with the same PARSEC_PEER_URLS and
 * ORIGIN_URL, and on several machines the same PARSEC_PEER_SECRET; PARSEC_SELF_URL differs.
 */

export interface User {
  readonly name: string;
  readonly role: string;
}

const config = clusterConfigFromEnv();
const { ORIGIN_URL = "" } = process.env;

const peers = createHttpPeers(config);
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

// Peers and users share one port: the handler serves peers and passes all other requests on.
const server = createServer((request, response) => {
  peers.handler(request, response, () => {
    answer(request, response).catch(() => response.writeHead(503).end());
  });
});

/** GET /alice returns a user; DELETE /alice invalidates the user on every node. */
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
process.once("disconnect", stop); // the parent process has ended

const { hostname, port } = new URL(config.selfUrl);
server.listen(Number(port), hostname, () => process.send?.("ready"));
