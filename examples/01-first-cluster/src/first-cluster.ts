import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createDataSourceClusterRegistry, type DataSource } from "@parsec/core";
import { createHttpPeers } from "@parsec/transport-http";

/*
 * Three nodes, here in one process for brevity: each would be a process of its own, with the same
 * few lines. They share their fetches, and a change reaches all of them.
 */

interface User {
  readonly name: string;
  readonly role: string;
}

/** Runs the tour and tells it line by line. */
export async function runFirstCluster(print: (line: string) => void): Promise<void> {
  const roles = new Map([["alice", "reader"]]);
  let queries = 0;
  const source: DataSource<string, User> = {
    name: "users",
    cacheKey: (name) => name,
    async fetch(name) {
      queries++;
      const role = roles.get(name);
      return role === undefined ? undefined : { name, role };
    },
  };

  const servers = [await listen(), await listen(), await listen()];
  const peerUrls = servers.map(urlOf);
  const nodes = servers.map((server) => {
    const peers = createHttpPeers({ selfUrl: urlOf(server), peerUrls });
    server.on("request", peers.handler);
    const registry = createDataSourceClusterRegistry({ peers });
    return { registry, users: registry.register(source, { ttlMs: 300_000 }) };
  });

  try {
    const callers = nodes.flatMap((node) => Array<typeof node>(100).fill(node));
    await Promise.all(callers.map((node) => node.users.get("alice")));
    print(
      `${callers.length} callers on ${nodes.length} nodes asked for alice at once: ${queries} query`,
    );

    roles.set("alice", "admin");
    const result = await nodes[0]?.users.invalidate("alice");
    print(`alice became an admin; ${result?.acknowledged.length} nodes dropped what they had`);

    const answers = await Promise.all(nodes.map((node) => node.users.get("alice")));
    print(
      `now the nodes say: ${answers.map((user) => user?.role).join(", ")} (${queries} queries in all)`,
    );
  } finally {
    await Promise.all(nodes.map((node) => node.registry.close()));
    await Promise.all(servers.map(close));
  }
}

function listen(): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
