import cluster from "node:cluster";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createDataSourceClusterRegistry } from "@parsec/core";
import { createHttpPeers } from "@parsec/transport-http";

/*
 * One worker of an application that serves users. All workers have the same URL, and need nothing else to find
 * each other. With more machines, PARSEC_PEER_URLS has one URL for each.
 */

export interface User {
  readonly name: string;
  readonly role: string;
}

const { ORIGIN_URL = "", PARSEC_SELF_URL: selfUrl = "", PARSEC_PEER_URLS = selfUrl } = process.env;

const peers = createHttpPeers({ selfUrl, peerUrls: PARSEC_PEER_URLS.split(",") });
const registry = createDataSourceClusterRegistry({ peers });
const users = registry.register(
  {
    name: "users",
    cacheKey: (id: string) => id,
    async fetch(id, { signal }) {
      const response = await fetch(`${ORIGIN_URL}/${encodeURIComponent(id)}`, { signal });
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

/** GET /alice returns a user; DELETE /alice invalidates the user in every worker. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const id = decodeURIComponent(request.url?.slice(1) ?? "");
  const isChange = request.method === "DELETE";
  const body = isChange ? await users.invalidate(id) : await users.get(id);
  response.setHeader("worker", cluster.worker?.id ?? 0);
  response.end(JSON.stringify(body));
}

async function stop(): Promise<void> {
  server.close();
  await registry.close();
  process.exit();
}
process.once("SIGTERM", stop);
process.once("disconnect", stop); // the primary has ended

const { hostname, port } = new URL(selfUrl);
server.listen(Number(port), hostname);
