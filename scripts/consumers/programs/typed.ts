import { createDataSourceRegistry } from "@parsec/core";

const registry = createDataSourceRegistry();
const users = registry.register(
  {
    name: "users",
    cacheKey: (input: { id: string }) => input.id,
    fetch: async ({ id }, { signal }) => ({ id, signal: signal === undefined }),
  },
  { ttlMs: 1_000 },
);
const alice = await users.get({ id: "alice" });
export const id: string | undefined = alice?.id;
// @ts-expect-error: an input without its key
await users.get({});
