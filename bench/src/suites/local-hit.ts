import { createDataSourceRegistry } from "@parsec/core";
import { createCache } from "async-cache-dedupe";
import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { Cacheable } from "cacheable";
import { LRUCache } from "lru-cache";
import { type Plan, scaled } from "../plan.ts";
import { compare, type Row, type Subject } from "../result.ts";
import { parsecVersion, versionOf } from "../versions.ts";

const suite = "local hit";
const ttlMs = 300_000;

interface User {
  readonly name: string;
}

/** The cost of one hit in memory, in one process. */
export async function localHit(plan: Plan): Promise<Row[]> {
  const operations = scaled(plan, 500_000);
  const keyCount = scaled(plan, 10_000);
  const keys = Array.from({ length: keyCount }, (_, index) => `user:${index}`);
  const order = keyOrder({ operations, keyCount });
  const value: User = { name: "x".repeat(256) };
  const load = (): Promise<User> => Promise.resolve(value);

  const registry = createDataSourceRegistry();
  const users = registry.register<string, User>(
    { name: "users", cacheKey: (key) => key, fetch: load },
    { ttlMs },
  );
  const lru = new LRUCache<string, User>({
    maxSize: 64 * 2 ** 20,
    sizeCalculation: () => 300,
    ttl: ttlMs,
    fetchMethod: load,
  });
  const dedupe = createCache({
    ttl: ttlMs / 1000,
    storage: { type: "memory", options: { size: 2 * keyCount } },
  }).define("user", (_key: string) => load());
  const bento = new BentoCache({
    default: "memory",
    stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: 2 * keyCount })) },
  });
  const cacheable = new Cacheable({ ttl: ttlMs });

  // Twice, because the first read of an entry decodes it.
  for (let pass = 0; pass < 2; pass++) {
    for (const key of keys) {
      await users.get(key);
      await lru.fetch(key);
      await dedupe.user(key);
      await bento.getOrSet({ key, factory: load, ttl: ttlMs });
      await cacheable.set(key, value);
    }
  }

  const awaited = (
    { name, versions }: Pick<Subject, "name" | "versions">,
    get: (key: string) => unknown,
    count = operations,
  ): Subject => ({
    name,
    versions,
    async run() {
      const start = process.hrtime.bigint();
      for (let index = 0; index < count; index++) await get(keys[order[index] as number] as string);
      return Number(process.hrtime.bigint() - start) / count;
    },
  });
  const synchronous = (
    { name, versions }: Pick<Subject, "name" | "versions">,
    get: (key: string) => unknown,
  ): Subject => ({
    name,
    versions,
    run() {
      let found = 0;
      const start = process.hrtime.bigint();
      for (let index = 0; index < operations; index++) {
        if (get(keys[order[index] as number] as string) !== undefined) found++;
      }
      const elapsed = Number(process.hrtime.bigint() - start);
      if (found !== operations) throw new Error(`${name} missed`);
      return elapsed / operations;
    },
  });

  const parsec = parsecVersion();
  const theirs = (name: string, what: string): Pick<Subject, "name" | "versions"> => ({
    name: `${name} ${what}`.trim(),
    versions: versionOf(name),
  });
  const rows = [
    ...(await compare(
      { suite, case: "in memory, synchronous", unit: "ns" },
      {
        plan,
        subjects: [
          synchronous({ name: "parsec peek", versions: parsec }, (key) => users.peek(key)),
          synchronous(theirs("lru-cache", "get (ttl, maxSize)"), (key) => lru.get(key)),
        ],
      },
    )),
    ...(await compare(
      { suite, case: "in memory, awaited", unit: "ns" },
      {
        plan,
        subjects: [
          awaited({ name: "parsec get", versions: parsec }, (key) => users.get(key)),
          awaited(theirs("lru-cache", "fetch"), (key) => lru.fetch(key)),
          awaited(theirs("async-cache-dedupe", ""), (key) => dedupe.user(key)),
          awaited(
            theirs("bentocache", "getOrSet"),
            (key) => bento.getOrSet({ key, factory: load, ttl: ttlMs }),
            operations / 10,
          ),
          awaited(theirs("cacheable", "get"), (key) => cacheable.get(key), operations / 10),
        ],
      },
    )),
  ];
  await Promise.all([registry.close(), bento.disconnectAll(), cacheable.disconnect()]);
  return rows;
}

/** The same pseudo-random order for every subject. */
function keyOrder({
  operations,
  keyCount,
}: {
  readonly operations: number;
  readonly keyCount: number;
}): Uint32Array {
  let state = 1;
  return Uint32Array.from({ length: operations }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % keyCount;
  });
}
