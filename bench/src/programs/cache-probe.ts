import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { partitionOf } from "../../../packages/ring/src/table/partition-hash.ts";
import { type CacheClient, createCacheClient } from "../cache-client.ts";

/*
 * Reads and writes one key of each watched partition in a loop, and measures how long each request takes.
 * Reads commands from standard input, one JSON per line, and answers each with one line of JSON.
 */

export type CacheProbeCommand =
  /** Sends all following requests to these nodes only. */
  | { readonly do: "aim"; readonly urls: readonly string[] }
  /** Watches these partitions from now on, and discards earlier measurements. */
  | { readonly do: "watch"; readonly partitions: readonly number[] }
  | { readonly do: "report" }
  /** Kills a process, and answers once each watched partition has been read and written again. */
  | { readonly do: "kill"; readonly pid: number };

export interface CacheProbeReport {
  /** The slowest answer of each partition, by partition number; 0 for a partition that is not watched. */
  readonly slowestMs: readonly number[];
  readonly failed: number;
}

/** One figure per watched partition. */
export interface CacheProbeOutage {
  readonly readAfterMs: readonly number[];
  readonly writtenAfterMs: readonly number[];
}

interface Watched {
  readonly key: string;
  slowestMs: number;
  /** Time from the last kill to the first answer of a request that was sent after it. */
  readAfterMs?: number | undefined;
  writtenAfterMs?: number | undefined;
}

const partitions = 64;
/** A few hundred requests per second in total: the probe looks for pauses, not for the maximum throughput. */
const pauseMs = 40;

const watched = Array.from(
  { length: partitions },
  (_, partition): Watched => ({ key: keyOf(partition), slowestMs: 0 }),
);
let client: CacheClient | undefined;
let chosen: ReadonlySet<Watched> = new Set();
let failed = 0;
let killedAtMs = Number.POSITIVE_INFINITY;
for (const [at, each] of watched.entries()) {
  void watch(each, { seen: "writtenAfterMs", startMs: (at / partitions) * pauseMs });
  void watch(each, { seen: "readAfterMs", startMs: ((at + 0.5) / partitions) * pauseMs });
}
for await (const line of createInterface({ input: process.stdin })) {
  const answer = await carryOut(JSON.parse(line) as CacheProbeCommand);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);

async function carryOut(command: CacheProbeCommand): Promise<object> {
  if (command.do === "kill") return kill(command.pid);
  if (command.do === "aim") {
    const before = client;
    client = createCacheClient(command.urls, partitions * 2);
    for (const { key } of watched) await client.set(key, "x");
    void before?.close();
  }
  if (command.do === "watch") {
    chosen = new Set(command.partitions.map((partition) => watched[partition] as Watched));
    failed = 0;
    for (const each of watched) each.slowestMs = 0;
    // By then each partition has been requested and the connections are open.
    await delay(2 * pauseMs);
  }
  return { slowestMs: watched.map(({ slowestMs }) => slowestMs), failed };
}

async function watch(
  each: Watched,
  how: { readonly seen: "readAfterMs" | "writtenAfterMs"; readonly startMs: number },
): Promise<void> {
  await delay(how.startMs);
  for (; ; await delay(pauseMs)) {
    if (!chosen.has(each)) continue;
    const asked = performance.now();
    try {
      if (how.seen === "readAfterMs") await client?.get(each.key);
      else await client?.set(each.key, "x");
      if (asked > killedAtMs) each[how.seen] ??= performance.now() - killedAtMs;
    } catch {
      failed++;
    }
    each.slowestMs = Math.max(each.slowestMs, performance.now() - asked);
  }
}

async function kill(pid: number): Promise<CacheProbeOutage> {
  const lost = [...chosen];
  for (const each of lost) {
    each.readAfterMs = undefined;
    each.writtenAfterMs = undefined;
  }
  process.kill(pid, "SIGKILL");
  killedAtMs = performance.now();
  const isBack = ({ readAfterMs, writtenAfterMs }: Watched): boolean =>
    readAfterMs !== undefined && writtenAfterMs !== undefined;
  while (!lost.every(isBack)) await delay(10);
  return {
    readAfterMs: lost.map(({ readAfterMs }) => readAfterMs ?? Number.NaN),
    writtenAfterMs: lost.map(({ writtenAfterMs }) => writtenAfterMs ?? Number.NaN),
  };
}

/** The first key `probe:N` that belongs to the partition. */
function keyOf(partition: number): string {
  for (let at = 0; ; at++) {
    const key = `probe:${at}`;
    if (partitionOf(key, partitions) === partition) return key;
  }
}
