import { createDataSourceClusterRegistry } from "@parsec/core";
import { createHttpPeers } from "@parsec/transport-http";
import { Redis } from "ioredis";
import { Pool } from "undici";

/*
 * The side that asks: so many callers at once, each asking again as soon as it is answered, for so
 * many seconds. Prints the rate and the median time of one question.
 */

const [
  subject = "parsec",
  target = "",
  callers = "1",
  seconds = "2",
  selfUrl = "http://127.0.0.1:1",
] = process.argv.slice(2);
const keyCount = 10_000;

const { keys, get, close } = await connect();
await Promise.all(keys.slice(0, 512).map(get));
for (const key of keys) await get(key);
await ask(0.5);
const figures = await ask(Number(seconds));
process.stdout.write(`${JSON.stringify(figures)}\n`);
await close();
process.exit(0);

async function ask(duration: number): Promise<{ perSecond: number; p50Us: number }> {
  const timed = callers === "1";
  const times: number[] = [];
  let answered = 0;
  const start = performance.now();
  const end = start + duration * 1000;
  const caller = async (first: number): Promise<void> => {
    for (let index = first; ; index++) {
      // Reading the clock for every answer would cost more than the answer at full load.
      if (timed) {
        const asked = performance.now();
        if (asked > end) return;
        await get(keys[index % keys.length] as string);
        times.push(performance.now() - asked);
      } else {
        await get(keys[index % keys.length] as string);
        if ((index & 31) === 0 && performance.now() > end) return;
      }
      answered++;
    }
  };
  await Promise.all(Array.from({ length: Number(callers) }, (_, index) => caller(index * 17)));
  const elapsed = (performance.now() - start) / 1000;
  times.sort((a, b) => a - b);
  return { perSecond: answered / elapsed, p50Us: (times[times.length >> 1] ?? 0) * 1000 };
}

interface Connection {
  readonly keys: readonly string[];
  readonly get: (key: string) => Promise<unknown>;
  readonly close: () => Promise<unknown>;
}

async function connect(): Promise<Connection> {
  if (subject === "parsec") return connectParsec();
  if (subject === "redis") return await connectRedis();
  if (subject === "undici") return connectBare();
  throw new Error(`unknown subject ${subject}`);
}

function connectParsec(): Connection {
  const peers = createHttpPeers({ selfUrl, peerUrls: [target, selfUrl] });
  const registry = createDataSourceClusterRegistry({ peers });
  // Without a hot cache, so that every question goes over the wire.
  const values = registry.register<string, string>(
    {
      name: "values",
      cacheKey: (key) => key,
      fetch: () => Promise.reject(new Error("not the owner")),
    },
    { hot: false, onPeerFailure: "fail" },
  );
  const keys: string[] = [];
  for (let index = 0; keys.length < keyCount; index++) {
    const key = `user:${index}`;
    if (peers.pick(key) !== undefined) keys.push(key);
  }
  return { keys, get: (key) => values.get(key), close: () => registry.close() };
}

async function connectRedis(): Promise<Connection> {
  const redis = new Redis(target, { enableAutoPipelining: true });
  const keys = Array.from({ length: keyCount }, (_, index) => `user:${index}`);
  for (const key of keys) await redis.set(key, "x".repeat(256));
  return { keys, get: (key) => redis.get(key), close: () => redis.quit() };
}

function connectBare(): Connection {
  const pool = new Pool(target, { connections: 64 });
  const keys = Array.from({ length: keyCount }, (_, index) => `/user:${index}`);
  return {
    keys,
    async get(path) {
      const { body } = await pool.request({ method: "GET", path });
      return await body.arrayBuffer();
    },
    close: () => pool.close(),
  };
}
