import { clusterConfigFromEnv, createDataSourceClusterRegistry } from "@parsec/core";
import { createGrpcPeers } from "@parsec/transport-grpc";

/*
 * One node. It differs from the one of the HTTP example in the lines that make its peers; its work
 * comes by messages of the process that forked it.
 */

const { selfUrl, peerUrls } = clusterConfigFromEnv();
const { PEER_SECRET = "", ORIGIN_URL = "" } = process.env;

const peers = createGrpcPeers({ selfUrl, peerUrls, secret: PEER_SECRET });
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

// Many at once travel in one frame per owner; all frames to a peer share one stream.
process.on("message", async (ids: readonly string[]) => {
  const found = await users.getMany(ids);
  process.send?.(found.map((user) => user?.name));
});

async function stop(): Promise<void> {
  await registry.close();
  process.exit();
}
process.once("SIGTERM", stop);
process.once("disconnect", stop); // whoever forked this process has gone

await peers.listen();
process.send?.("ready");
