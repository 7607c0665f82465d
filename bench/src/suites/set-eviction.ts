import { createGroupCache } from "@parsec/core";
import { LRUCache } from "lru-cache";
// The store is not public API, but it is the counterpart of another cache's `set`.
import { ByteStore } from "../../../packages/core/src/memory/byte-store.ts";
import { type Plan, scaled } from "../plan.ts";
import { compare, type Row, type Subject } from "../result.ts";
import { parsecVersion, versionOf } from "../versions.ts";

const suite = "set with eviction";
const maxBytes = 4 * 2 ** 20;

/** Writes new values of 256 bytes into a full cache, so that every write evicts an entry. */
export async function setEviction(plan: Plan): Promise<Row[]> {
  const operations = scaled(plan, 300_000);
  const parsec = parsecVersion();
  const lruCache = versionOf("lru-cache");
  let serial = 0;
  const timed = (
    { name, versions }: Pick<Subject, "name" | "versions">,
    body: (key: string) => unknown,
  ): Subject => ({
    name,
    versions,
    run() {
      const start = process.hrtime.bigint();
      for (let index = 0; index < operations; index++) body(`user:${serial++}`);
      return Number(process.hrtime.bigint() - start) / operations;
    },
  });
  const template = Buffer.alloc(256, 65);
  const store = new ByteStore({ maxBytes, onRemove: () => {} });
  const lru = new LRUCache<string, Buffer>({
    maxSize: maxBytes,
    sizeCalculation: () => 340,
    ttl: 300_000,
  });
  const writes = await compare(
    { suite, case: "store", unit: "ns" },
    {
      plan,
      subjects: [
        timed({ name: "parsec (bytes copied off the heap)", versions: parsec }, (key) =>
          store.put(key, template, { freshUntil: Number.POSITIVE_INFINITY, hot: false, tags: [] }),
        ),
        timed(
          { name: "lru-cache set (maxSize, ttl; a new Buffer each)", versions: lruCache },
          (key) => lru.set(key, Buffer.from(template)),
        ),
      ],
    },
  );

  const cache = createGroupCache();
  const group = cache.group("users", { maxBytes, ttlMs: 300_000, load: () => template });
  const fetching = new LRUCache<string, Buffer>({
    maxSize: maxBytes,
    sizeCalculation: () => 340,
    ttl: 300_000,
    fetchMethod: () => Promise.resolve(Buffer.from(template)),
  });
  const awaited = (
    { name, versions }: Pick<Subject, "name" | "versions">,
    get: (key: string) => Promise<unknown>,
  ): Subject => ({
    name,
    versions,
    async run() {
      const count = operations / 4;
      const start = process.hrtime.bigint();
      for (let index = 0; index < count; index++) await get(`user:${serial++}`);
      return Number(process.hrtime.bigint() - start) / count;
    },
  });
  const loads = await compare(
    { suite, case: "miss, load, store", unit: "ns" },
    {
      plan,
      subjects: [
        awaited({ name: "parsec get", versions: parsec }, (key) => group.get(key)),
        awaited({ name: "lru-cache fetch", versions: lruCache }, (key) => fetching.fetch(key)),
      ],
    },
  );
  await cache.close();
  return [...writes, ...loads];
}
