import { createDataSourceClusterRegistry } from "@parsec/core";
import { createNatsPeers } from "@parsec/transport-nats";

/*
 * One node. It is configured with its own name and the URL of a NATS server, and discovers the other nodes over
 * NATS. The parent process sends it the ids to look up.
 */

const { NODE_ID = "", NATS_URL = "", ORIGIN_URL = "", PEER_SECRET = "" } = process.env;

const peers = createNatsPeers({
  cluster: "example",
  nodeId: NODE_ID,
  servers: NATS_URL,
  secret: PEER_SECRET,
});
const registry = createDataSourceClusterRegistry({ peers });
const users = registry.register(
  {
    name: "users",
    cacheKey: (id: string) => id,
    async fetch(id, { signal }) {
      const response = await fetch(`${ORIGIN_URL}/${encodeURIComponent(id)}`, { signal });
      if (!response.ok) throw new Error(`the origin answered ${response.status}`);
      return (await response.json()) as { readonly name: string };
    },
  },
  { ttlMs: 300_000 },
);

process.on("message", async (ids: readonly string[]) => {
  const found = await users.getMany(ids);
  process.send?.({ found: found.length, members: peers.stats().members });
});

async function stop(): Promise<void> {
  await registry.close(); // announces to the others that this node leaves
  process.exit();
}
process.once("SIGTERM", stop);
process.once("disconnect", stop); // the parent process has ended

// Without a signal, `ready` waits until the server is reachable, however long that takes.
try {
  await peers.ready({ signal: AbortSignal.timeout(5_000) });
} catch {
  console.error(`${NODE_ID} cannot reach a NATS server with JetStream: ${peers.stats().lastError}`);
  process.exit(1);
}
process.send?.("ready");
