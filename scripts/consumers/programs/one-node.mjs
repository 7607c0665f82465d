// One node: a fetch, a hit, an invalidation.
import { createDataSourceRegistry } from "@parsec/core";

let fetches = 0;
const registry = createDataSourceRegistry();
const users = registry.register({
  name: "users",
  cacheKey: (input) => input.id,
  fetch: async ({ id }) => ({ id, fetches: ++fetches }),
});
await users.get({ id: "alice" });
await users.get({ id: "alice" });
await users.invalidate({ id: "alice" });
await users.get({ id: "alice" });
await registry.close();
if (fetches !== 2) throw new Error(`one node: ${fetches} fetches instead of 2`);
console.log("one node works");
