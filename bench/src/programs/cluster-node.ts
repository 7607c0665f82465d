import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { createDataSourceClusterRegistry, type PeerPicker } from "@parsec/core";
import type { NodePlace, TransportName } from "../transports/bench-transport.ts";
import { openTransport } from "../transports/open-transport.ts";

/*
 * One node of a cluster, whose origin counts its fetches. Prints "ready", then reads commands from standard
 * input, one JSON per line, and answers each with a `ClusterNodeReport`. On SIGTERM it shuts down gracefully
 * and prints its last report.
 */

export interface ClusterNodeTask {
  readonly transport: TransportName;
  readonly place: NodePlace;
  /** The keys are `user:0` to `user:{keyCount - 1}`. */
  readonly keyCount: number;
  /** Duration of one fetch from the origin. */
  readonly originMs: number;
  /** Whether a node keeps a hot copy of every key it looks up on another node. */
  readonly keepsCopies: boolean;
  /** Whether it asks the former owner of a key before the origin. */
  readonly warmJoin: boolean;
  readonly handOverMs?: number;
}

export type ClusterNodeCommand =
  | { readonly do: "report" }
  /** Reads all keys once. */
  | { readonly do: "read" }
  /** Waits until this node reaches the other one again, as after a restart. */
  | { readonly do: "reach"; readonly id: string }
  /** Starts `callers` loops that read all keys until the node ends. */
  | { readonly do: "load"; readonly callers: number }
  | { readonly do: "members"; readonly members: readonly string[] }
  /** Invalidates all keys, `callers` of them at a time. */
  | { readonly do: "invalidate"; readonly callers: number }
  | { readonly do: "stampede"; readonly key: string; readonly callers: number };

export interface ClusterNodeReport {
  /** Fetches from the origin since the node started. */
  readonly fetches: number;
  /** Number of keys that this node owns. */
  readonly owned: number;
  /** Number of keys that this node has in memory. */
  readonly held: number;
  /** Reads that were rejected. */
  readonly failed: number;
  /** Duration of the command. */
  readonly elapsedMs: number;
  /** Duration of each invalidation. */
  readonly timesMs: readonly number[];
}

const task = JSON.parse(process.argv[2] ?? "{}") as ClusterNodeTask;
const keys = Array.from({ length: task.keyCount }, (_, index) => `user:${index}`);
const peers = await (await openTransport(task.transport)).connect(task.place);
const registry = createDataSourceClusterRegistry({
  peers: task.warmJoin ? peers : withoutFormerOwners(peers),
  ...(task.handOverMs !== undefined && { handOverMs: task.handOverMs }),
});
const counters = { fetches: 0, failed: 0 };
const reading: Promise<void>[] = [];
let isLeaving = false;
const values = registry.register<string, string>(
  {
    name: "values",
    cacheKey: (key) => key,
    async fetch() {
      counters.fetches++;
      if (task.originMs > 0) await delay(task.originMs);
      return "x".repeat(256);
    },
  },
  { hot: task.keepsCopies && { minRatePerMinute: 0 } },
);
process.once("SIGTERM", close);
process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  const start = performance.now();
  const timesMs = await carryOut(JSON.parse(line) as ClusterNodeCommand);
  printReport({ elapsedMs: performance.now() - start, timesMs });
}

async function carryOut(command: ClusterNodeCommand): Promise<readonly number[]> {
  switch (command.do) {
    case "report":
      return [];
    case "read":
      await eachKey(64, read);
      return [];
    case "reach":
      await reach(command.id);
      return [];
    case "load":
      for (let caller = 0; caller < command.callers; caller++) reading.push(readOn(caller));
      return [];
    case "members":
      registry.updatePeers(command.members);
      return [];
    case "invalidate":
      return await invalidateAll(command.callers);
    case "stampede":
      await Promise.all(Array.from({ length: command.callers }, () => values.get(command.key)));
      return [];
  }
}

async function read(key: string): Promise<void> {
  try {
    await values.get(key);
  } catch (error) {
    counters.failed++;
    console.error(String(error));
  }
}

async function readOn(caller: number): Promise<void> {
  for (let index = caller * 101; !isLeaving; index++) {
    await read(keys[index % keys.length] as string);
    // A hit in memory never yields to the event loop, so this loop must.
    if (index % 64 === 0) await delay(1);
  }
}

async function reach(id: string): Promise<void> {
  const peer = peers.peers().find((each) => each.id === id);
  const question = {
    group: "datasource:values",
    key: "user:0",
    input: undefined,
    fence: 0,
    timeoutMs: 1_000,
    memoryOnly: true,
  };
  const end = performance.now() + 30_000;
  while (peer !== undefined) {
    try {
      await peer.lookup(question);
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await delay(20);
    }
  }
}

async function invalidateAll(callers: number): Promise<readonly number[]> {
  const timesMs: number[] = [];
  await eachKey(callers, async (key) => {
    const start = performance.now();
    const { failed } = await values.invalidate(key);
    timesMs.push(performance.now() - start);
    if (failed.length > 0) throw failed[0]?.error;
  });
  return timesMs;
}

/** Runs `callers` loops that share the keys: each takes the next key when it is done with one. */
async function eachKey(callers: number, use: (key: string) => Promise<void>): Promise<void> {
  const left = keys.values();
  const caller = async (): Promise<void> => {
    for (const key of left) await use(key);
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

/** Hides former owners, so that every miss goes to the origin. */
function withoutFormerOwners(picker: PeerPicker): PeerPicker {
  return {
    ...picker,
    pick: (key, without) => (without === picker.selfId ? undefined : picker.pick(key, without)),
  };
}

function printReport(took: {
  readonly elapsedMs: number;
  readonly timesMs: readonly number[];
}): void {
  const report: ClusterNodeReport = {
    ...counters,
    owned: keys.filter((key) => peers.pick(key) === undefined).length,
    held: keys.filter((key) => values.peek(key) !== undefined).length,
    ...took,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

async function close(): Promise<void> {
  // The order of a server's shutdown: accept no new requests, answer those in flight, close the cache.
  isLeaving = true;
  await Promise.all(reading);
  const start = performance.now();
  await registry.close();
  printReport({ elapsedMs: performance.now() - start, timesMs: [] });
  process.exit(0);
}
