import { createInterface } from "node:readline";
import { Redis } from "ioredis";
import { type CacheClient, createCacheClient } from "../cache-client.ts";

/*
 * Sets and gets of 256 bytes. Prints "ready" once all keys are set. Then it reads loads from standard input,
 * one JSON per line, and prints the figures of each: `callers` run in parallel for `seconds`, and each sends
 * its next request as soon as the previous one is answered.
 */

export type CacheLoadTask =
  | { readonly subject: "http"; readonly urls: readonly string[]; readonly keyCount: number }
  | { readonly subject: "redis"; readonly url: string; readonly keyCount: number };

export interface CacheLoad {
  readonly operation: "set" | "get";
  readonly callers: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

export interface CacheLoadFigures {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

const value = "x".repeat(256);
const task = JSON.parse(process.argv[2] ?? "{}") as CacheLoadTask;
const client = task.subject === "redis" ? connectRedis(task.url) : createCacheClient(task.urls, 64);
const keys = Array.from({ length: task.keyCount }, (_, at) => `user:${at}`);
for (const key of keys) await client.set(key, value);
process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  const load = JSON.parse(line) as CacheLoad;
  await measure(load, load.warmUpSeconds);
  process.stdout.write(`${JSON.stringify(await measure(load, load.seconds))}\n`);
}
await client.close();
process.exit(0);

async function measure(load: CacheLoad, seconds: number): Promise<CacheLoadFigures> {
  const times: number[] = [];
  const start = performance.now();
  const end = start + seconds * 1000;
  const call = async (first: number): Promise<void> => {
    for (let index = first; ; index++) {
      const key = keys[index % keys.length] as string;
      const asked = performance.now();
      if (asked > end) return;
      await (load.operation === "set" ? client.set(key, value) : client.get(key));
      times.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: load.callers }, (_, at) => call(at * 17)));
  const elapsed = (performance.now() - start) / 1000;
  times.sort((a, b) => a - b);
  const quantileUs = (share: number): number =>
    (times[Math.floor(times.length * share)] ?? Number.NaN) * 1000;
  return { perSecond: times.length / elapsed, p50Us: quantileUs(0.5), p99Us: quantileUs(0.99) };
}

function connectRedis(url: string): CacheClient {
  const redis = new Redis(url, { enableAutoPipelining: true });
  return {
    async set(key, text) {
      await redis.set(key, text);
    },
    async get(key) {
      await redis.get(key);
    },
    async close() {
      await redis.quit();
    },
  };
}
