import { createDataSourceRegistry, isParsecError } from "@parsec/core";

/*
 * One process. Each user is read from the database once, kept in memory, and dropped the moment it
 * changes.
 */

interface User {
  readonly name: string;
  readonly role: string;
}

// Stands in for your database; it counts what it is asked.
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
console.log(`${requests.length} requests at once made ${queries} query`);

console.log(`peek answers from memory, without waiting: ${users.peek("alice")?.role}`);

rows.set("alice", { name: "Alice", role: "admin" });
await users.invalidate("alice");
console.log(`after the change alice is ${(await users.get("alice"))?.role}`);

const [alice, nobody] = await users.getMany(["alice", "nobody"]);
console.log(`several at once: ${alice?.name} and ${nobody}, which is remembered as well`);

try {
  await users.get("mallory");
} catch (error) {
  if (isParsecError(error)) console.log(`the origin's errors are typed: ${error.code}`);
}

const { gets, cacheHits, main } = users.stats();
console.log(`${gets} gets, ${cacheHits} from memory, ${queries} queries, ${main.items} entries`);

await registry.close();
