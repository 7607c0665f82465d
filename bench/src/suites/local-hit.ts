import { createDataSourceRegistry } from "@parsec/core";
import { createCache } from "async-cache-dedupe";
import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { Cacheable } from "cacheable";
import { LRUCache } from "lru-cache";
import { compare, type Row, type Subject } from "../result.ts";

const suite = "local hit";
const keyCount = 10_000;
const operations = 500_000;
const ttlMs = 300_000;

interface User {
  readonly name: string;
}

/** One process, everything in memory: what an application pays for each look at its cache. */
export async function localHit(runs: number): Promise<Row[]> {
  const keys = Array.from({ length: keyCount }, (_, index) => `user:${index}`);
  const order = keyOrder();
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

  // Twice: the first read of an entry is not the common one.
  for (let pass = 0; pass < 2; pass++) {
    for (const key of keys) {
      await users.get(key);
      await lru.fetch(key);
      await dedupe.user(key);
      await bento.getOrSet({ key, factory: load, ttl: ttlMs });
      await cacheable.set(key, value);
    }
  }

  const awaited = (name: string, count: number, get: (key: string) => unknown): Subject => ({
    name,
    async run() {
      const start = process.hrtime.bigint();
      for (let index = 0; index < count; index++) await get(keys[order[index] as number] as string);
      return Number(process.hrtime.bigint() - start) / count;
    },
  });
  const synchronous = (name: string, get: (key: string) => unknown): Subject => ({
    name,
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

  const rows = [
    ...(await compare(
      { suite, case: "in memory, synchronous", unit: "ns" },
      {
        runs,
        subjects: [
          synchronous("parsec peek", (key) => users.peek(key)),
          synchronous("lru-cache get (ttl, maxSize)", (key) => lru.get(key)),
        ],
      },
    )),
    ...(await compare(
      { suite, case: "in memory, awaited", unit: "ns" },
      {
        runs,
        subjects: [
          awaited("parsec get", operations, (key) => users.get(key)),
          awaited("lru-cache fetch", operations, (key) => lru.fetch(key)),
          awaited("async-cache-dedupe", operations, (key) => dedupe.user(key)),
          awaited("bentocache getOrSet", operations / 10, (key) =>
            bento.getOrSet({ key, factory: load, ttl: ttlMs }),
          ),
          awaited("cacheable get", operations / 10, (key) => cacheable.get(key)),
        ],
      },
    )),
  ];
  await Promise.all([registry.close(), bento.disconnectAll(), cacheable.disconnect()]);
  return rows;
}

/** The same pseudo-random order for every subject. */
function keyOrder(): Uint32Array {
  let state = 1;
  return Uint32Array.from({ length: operations }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % keyCount;
  });
}
