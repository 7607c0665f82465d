import { createDataSourceClusterRegistry } from "@parsec/core";
import { createNatsPeers } from "@parsec/transport-nats";

/*
 * One node. It knows its own name and where NATS is; who else there is it learns from NATS. Its work
 * comes by messages of the process that forked it.
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
  await registry.close(); // tells the others that this node leaves
  process.exit();
}
process.once("SIGTERM", stop);
process.once("disconnect", stop); // whoever forked this process has gone

// Would wait for a server that is away as long as it takes; nobody wants that here.
try {
  await peers.ready({ signal: AbortSignal.timeout(5_000) });
} catch {
  console.error(`${NODE_ID} found no NATS with JetStream: ${peers.stats().lastError}`);
  process.exit(1);
}
process.send?.("ready");
