import { createDataSourceRegistry, isParsecError } from "@parsec/core";

/* One process: each user is read from the database once, kept in memory, and dropped when it changes. */

interface User {
  readonly name: string;
  readonly role: string;
}

// Stands in for your database, and counts its queries.
const rows = new Map<string, User>([["alice", { name: "Alice", role: "reader" }]]);
let queries = 0;

async function selectUser(id: string, signal: AbortSignal): Promise<User | undefined> {
  signal.throwIfAborted();
  queries += 1;
  if (id === "mallory") throw new Error("the row is locked");
  return rows.get(id);
}

const registry = createDataSourceRegistry();
const users = registry.register(
  {
    name: "users",
    cacheKey: (id: string) => id,
    fetch: (id, { signal }) => selectUser(id, signal),
  },
  { ttlMs: 300_000, negativeTtlMs: 5_000 },
);

const requests = Array.from({ length: 100 }, () => users.get("alice"));
await Promise.all(requests);
console.log(`${requests.length} concurrent requests made ${queries} query`);

console.log(`peek reads from memory synchronously: ${users.peek("alice")?.role}`);

rows.set("alice", { name: "Alice", role: "admin" });
await users.invalidate("alice");
console.log(`role of alice after the change: ${(await users.get("alice"))?.role}`);

const [alice, missing] = await users.getMany(["alice", "unknown"]);
console.log(`getMany returned ${alice?.name} and ${missing}; both are cached`);

try {
  await users.get("mallory");
} catch (error) {
  if (isParsecError(error)) console.log(`an origin that fails rejects with ${error.code}`);
}

const { gets, cacheHits, main } = users.stats();
console.log(`${gets} gets, ${cacheHits} from memory, ${queries} queries, ${main.items} entries`);

await registry.close();
