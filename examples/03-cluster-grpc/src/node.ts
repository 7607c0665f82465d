import { clusterConfigFromEnv, createDataSourceClusterRegistry } from "@parsec/core";
import { createGrpcPeers } from "@parsec/transport-grpc";

/*
 * One node. It differs from the node of the HTTP example in the lines that create its peers. The parent process
 * sends it the ids to look up.
 */

const { ORIGIN_URL = "" } = process.env;

const peers = createGrpcPeers(clusterConfigFromEnv());
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

// Concurrent lookups share one frame per owner; all frames to a peer share one stream.
process.on("message", async (ids: readonly string[]) => {
  const found = await users.getMany(ids);
  process.send?.(found.map((user) => user?.name));
});

async function stop(): Promise<void> {
  await registry.close();
  process.exit();
}
process.once("SIGTERM", stop);
process.once("disconnect", stop); // the parent process has ended

await peers.listen();
process.send?.("ready");
