import { createInterface } from "node:readline";
import { createDataSourceClusterRegistry } from "@parsec/core";
import { Redis } from "ioredis";
import { cpuUsOf } from "../processes/process-cpu.ts";
import type { NodePlace, TransportName } from "../transports/bench-transport.ts";
import { openTransport } from "../transports/open-transport.ts";

/*
 * The client of a remote hit. Prints "ready" once the server has all keys in memory. Then it reads loads from
 * standard input, one JSON per line, and prints the figures of each: `callers` run in parallel for `seconds`,
 * and each sends its next request as soon as the previous one is answered.
 */

export type RemoteClientTask = {
  /** All processes that take part in an answer; their CPU time is counted as the server's. */
  readonly serverPids: readonly number[];
  readonly keyCount: number;
} & (
  | { readonly subject: "parsec"; readonly transport: TransportName; readonly place: NodePlace }
  | { readonly subject: "bare"; readonly transport: TransportName; readonly target: string }
  | { readonly subject: "redis"; readonly target: string }
);

export interface RemoteLoad {
  readonly callers: number;
  /** Number of keys per request; 1 is a plain get. */
  readonly batch: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

/** CPU times are user plus system time per key. */
export interface RemoteFigures {
  readonly perSecond: number;
  /** 0 for more than one caller. */
  readonly p50Us: number;
  readonly clientCpuUs: number;
  /** Absent on systems without /proc. */
  readonly serverCpuUs?: number;
}

interface Connection {
  readonly keys: readonly string[];
  get(key: string): Promise<unknown>;
  getMany(keys: readonly string[]): Promise<unknown>;
  close(): Promise<unknown>;
}

const task = JSON.parse(process.argv[2] ?? "{}") as RemoteClientTask;
const connection = await connect();
const { keys } = connection;
for (let first = 0; first < keys.length; first += 100) {
  await Promise.all(keys.slice(first, first + 100).map((key) => connection.get(key)));
}
process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  const load = JSON.parse(line) as RemoteLoad;
  await measure(load, load.warmUpSeconds);
  process.stdout.write(`${JSON.stringify(await measure(load, load.seconds))}\n`);
}
await connection.close();
process.exit(0);

async function measure(load: RemoteLoad, seconds: number): Promise<RemoteFigures> {
  const serverBefore = serverCpuUs();
  const before = process.cpuUsage();
  const start = performance.now();
  const { answered, times } = await ask(load, start + seconds * 1000);
  const elapsed = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  const serverAfter = serverCpuUs();
  times.sort((a, b) => a - b);
  return {
    perSecond: answered / elapsed,
    p50Us: (times[times.length >> 1] ?? 0) * 1000,
    clientCpuUs: (user + system) / answered,
    ...(serverBefore !== undefined &&
      serverAfter !== undefined && { serverCpuUs: (serverAfter - serverBefore) / answered }),
  };
}

async function ask(
  { callers, batch }: RemoteLoad,
  end: number,
): Promise<{ readonly answered: number; readonly times: number[] }> {
  const times: number[] = [];
  let answered = 0;
  const alone = async (): Promise<void> => {
    for (let index = 0; ; index++) {
      const asked = performance.now();
      if (asked > end) return;
      await connection.get(keys[index % keys.length] as string);
      times.push(performance.now() - asked);
      answered++;
    }
  };
  const among = async (first: number): Promise<void> => {
    for (let index = first; ; index++) {
      await connection.get(keys[index % keys.length] as string);
      answered++;
      // Reading the clock after every answer would cost more than the answer.
      if ((index & 31) === 0 && performance.now() > end) return;
    }
  };
  const inBatches = async (): Promise<void> => {
    for (let first = 0; performance.now() <= end; first = (first + batch) % keys.length) {
      const some = keys.slice(first, first + batch);
      await connection.getMany(some);
      answered += some.length;
    }
  };
  const caller = batch > 1 ? inBatches : callers === 1 ? alone : among;
  await Promise.all(Array.from({ length: callers }, (_, index) => caller(index * 17)));
  return { answered, times };
}

function serverCpuUs(): number | undefined {
  let total = 0;
  for (const pid of task.serverPids) {
    const cpuUs = cpuUsOf(pid);
    if (cpuUs === undefined) return undefined;
    total += cpuUs;
  }
  return total;
}

async function connect(): Promise<Connection> {
  if (task.subject === "parsec") return await connectParsec(task);
  if (task.subject === "redis") return await connectRedis(task.target);
  const bare = await (await openTransport(task.transport)).connectBare(task.target);
  return {
    keys: userKeys(),
    get: (key) => bare.get(key),
    getMany: (some) => Promise.all(some.map((key) => bare.get(key))),
    close: () => bare.close(),
  };
}

async function connectParsec({
  transport,
  place,
}: RemoteClientTask & { readonly subject: "parsec" }): Promise<Connection> {
  const peers = await (await openTransport(transport)).connect(place);
  const registry = createDataSourceClusterRegistry({ peers, handOverMs: 0 });
  // No hot cache, so that every lookup goes over the wire.
  const values = registry.register<string, string>(
    {
      name: "values",
      cacheKey: (key) => key,
      fetch: () => Promise.reject(new Error("not the owner")),
    },
    { hot: false, onPeerFailure: "fail" },
  );
  const keys: string[] = [];
  for (let index = 0; keys.length < task.keyCount; index++) {
    const key = `user:${index}`;
    if (peers.pick(key) !== undefined) keys.push(key);
  }
  return {
    keys,
    get: (key) => values.get(key),
    getMany: (some) => values.getMany(some),
    close: () => registry.close(),
  };
}

async function connectRedis(target: string): Promise<Connection> {
  const redis = new Redis(target, { enableAutoPipelining: true });
  const keys = userKeys();
  await redis.mset(new Map(keys.map((key) => [key, "x".repeat(256)])));
  return {
    keys,
    get: (key) => redis.get(key),
    getMany: (some) => redis.mget([...some]),
    close: () => redis.quit(),
  };
}

function userKeys(): string[] {
  return Array.from({ length: task.keyCount }, (_, index) => `user:${index}`);
}
