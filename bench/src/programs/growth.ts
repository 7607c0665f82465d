import { setImmediate as nextTurn } from "node:timers/promises";
import { createDataSourceRegistry } from "@parsec/core";
import { LRUCache } from "lru-cache";

/*
 * Fills one 64 MiB cache with 256-byte values and prints how much the process grew, as a multiple of the
 * budget. First it does the same work on a tiny cache, so that V8's young generation and compiled code are
 * not counted as growth.
 */

const maxBytes = 64 * 2 ** 20;
const value = "x".repeat(256);

interface Cache {
  get(key: string): Promise<unknown>;
}

const makers: Record<string, (bytes: number) => Cache> = {
  parsec(bytes) {
    return createDataSourceRegistry().register<string, string>(
      { name: "values", cacheKey: (key) => key, fetch: () => Promise.resolve(value) },
      { maxBytes: bytes },
    );
  },
  "lru-cache": (bytes) => {
    const cache = new LRUCache<string, string>({
      maxSize: bytes,
      sizeCalculation: (text, key) => text.length + key.length,
      fetchMethod: () => Promise.resolve(Buffer.from(value).toString("latin1")),
    });
    return { get: (key) => cache.fetch(key) };
  },
};

const [subject = "parsec", loadsText = "400000", readsText = "1"] = process.argv.slice(2);
const make = makers[subject];
if (make === undefined) throw new Error(`unknown subject ${subject}`);
await fill(make(2 ** 20));
collect();
const before = process.memoryUsage().rss;
const cache = make(maxBytes);
await fill(cache);
collect();
const growth = (process.memoryUsage().rss - before) / maxBytes;
process.stdout.write(`${JSON.stringify({ growth })}\n`);
// Keeps the cache reachable until the memory has been measured.
await cache.get("last");
process.exit(0);

async function fill(target: Cache): Promise<void> {
  for (let index = 0; index < Number(loadsText); index++) {
    for (let read = 0; read < Number(readsText); read++) await target.get(`user:${index}`);
    if (index % 1000 === 0) await nextTurn();
  }
}

function collect(): void {
  globalThis.gc?.();
  globalThis.gc?.();
}
