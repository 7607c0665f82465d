import { createDataSourceClusterRegistry } from "@parsec/core";
import { createUnixPeers } from "./unix-peers.ts";

/* One process that needs users. All run this program with the same PEER_URLS; SELF_URL differs. */

const { SELF_URL = "", PEER_URLS = "" } = process.env;

const peers = createUnixPeers({ selfUrl: SELF_URL, peerUrls: PEER_URLS.split(",") });
const registry = createDataSourceClusterRegistry({ peers });
const users = registry.register({
  name: "users",
  cacheKey: (id: string) => id,
  async fetch(id) {
    process.send?.({ query: id });
    return { id, name: "Alice" };
  },
});
await peers.listen();

process.on(
  "message",
  async (request: { readonly get: number } | { readonly invalidate: string }) => {
    if ("invalidate" in request) {
      const { acknowledged } = await users.invalidate(request.invalidate);
      process.send?.({ answer: acknowledged.length });
    } else {
      const callers = Array.from({ length: request.get }, () => users.get("alice"));
      process.send?.({ answer: (await Promise.all(callers)).length });
    }
  },
);
process.once("disconnect", () => registry.close());
process.send?.({ answer: "ready" });
