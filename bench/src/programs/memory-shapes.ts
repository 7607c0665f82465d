import { setImmediate as nextTurn } from "node:timers/promises";
import {
  createDataSourceClusterRegistry,
  createDataSourceRegistry,
  createGroupCache,
  type Peer,
  type PeerPicker,
} from "@parsec/core";
import type { Growth, SizePhase, Workload } from "../processes/workload.ts";

/*
 * Runs one workload and prints how much the process grew. The caller compares it with a process that does
 * the same work without a cache (`maxBytes` 0), so that V8 and the garbage of the work are not counted.
 */

const workload = JSON.parse(process.argv[2] ?? "{}") as Workload;
const budget = Number(process.argv[3]);
const { groups, shape } = workload;

/** Bounds the time of a workload. */
const maxWrites = 20_000;
const largestStructure = 64 * 1024;
/** JSON cannot write much deeper data. */
const deepest = 500;

let state = workload.seed | 1;
function random(): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
}

const vocabulary = Array.from({ length: 1000 }, (_, index) => `permission:${index}`);
let serial = 0;

function textOf(bytes: number): string {
  return `${serial++}:${random()}`.padEnd(bytes, "x").slice(0, Math.max(8, bytes));
}

function repeated<T>(bytes: number, perItem: number, item: () => T): T[] {
  return Array.from({ length: Math.max(1, Math.floor(bytes / perItem)) }, item);
}

const makers: Readonly<Record<Exclude<Workload["shape"], "bytes">, (bytes: number) => unknown>> = {
  texts: (bytes) => repeated(bytes, 40, () => textOf(36)),
  records: (bytes) =>
    repeated(bytes, 80, () => ({ id: serial++, name: textOf(20), rate: random(), on: true })),
  dictionary: (bytes) => Object.fromEntries(repeated(bytes, 44, () => [textOf(36), true])),
  vocabulary: (bytes) =>
    Object.fromEntries(
      repeated(bytes, 22, () => [vocabulary[Math.floor(random() * 1000)] as string, true]),
    ),
  deep: (bytes) => {
    let value: unknown = 1;
    for (let depth = Math.min(deepest, bytes / 10); depth > 0; depth--)
      value = depth & 1 ? { next: value } : [value];
    return value;
  },
};

function sizeOf({ kind, min, max }: SizePhase, index: number): number {
  if (kind === "fixed") return max;
  if (kind === "bimodal") return index % 2 === 0 ? min : max;
  return Math.floor(min + (max - min) * random() ** 4);
}

function tagsOf(key: string): string[] {
  const { ownTags, tagsPerEntry } = workload;
  return Array.from({ length: tagsPerEntry }, (_, tag) =>
    ownTags ? `tag ${tag} of ${key}` : `tag ${tag}`,
  );
}

/** Half of the keys belong to another node, which answers at once. */
function twoNodes(answer: (size: number) => Uint8Array): PeerPicker {
  const peer: Peer = {
    id: "other",
    lookup: () =>
      Promise.resolve({ value: answer(size), ttlMs: 1e9, fence: 0, ratePerMinute: 100 }),
    invalidate: () => Promise.resolve(),
  };
  return {
    selfId: "self",
    peers: () => [peer],
    pick: (key) => (key.charCodeAt(key.length - 1) & 1 ? peer : undefined),
    attach() {},
    updatePeers() {},
    close: () => Promise.resolve(),
  };
}

let size = 0;
const maxBytes = budget;
const policy = { maxBytes, hot: { minRatePerMinute: 0 } };
const structureOf = (bytes: number): unknown =>
  makers[shape as keyof typeof makers](Math.min(bytes, largestStructure));
const encoded = (bytes: number): Uint8Array =>
  shape === "bytes" ? Buffer.alloc(bytes, 1) : Buffer.from(JSON.stringify(structureOf(bytes)));
const cache = createGroupCache(workload.hot ? { peers: twoNodes(encoded), handOverMs: 0 } : {});
const registry = workload.hot
  ? createDataSourceClusterRegistry({ peers: twoNodes(encoded), handOverMs: 0 })
  : createDataSourceRegistry();

interface Filled {
  get(key: string): Promise<unknown>;
  invalidate(key: string): Promise<unknown>;
  invalidateTag(tag: string): Promise<unknown>;
  invalidateAll(): Promise<unknown>;
  stats(): { readonly main: { readonly bytes: number }; readonly hot: { readonly bytes: number } };
}

function groupAt(index: number): Filled {
  const tags = workload.tagsPerEntry > 0 ? { tags: tagsOf } : {};
  if (shape === "bytes") {
    return cache.group(`g${index}`, { ...policy, ...tags, load: () => Buffer.alloc(size, 1) });
  }
  return registry.register<string, unknown>(
    {
      name: `s${index}`,
      cacheKey: (key) => key,
      fetch: () => Promise.resolve(structureOf(size)),
    },
    { ...policy, ...tags },
  );
}

async function invalidate(group: Filled, key: string): Promise<void> {
  if (workload.invalidate === "keys") await group.invalidate(key);
  else if (workload.invalidate === "everything") await group.invalidateAll();
  else if (workload.invalidate === "tags") {
    await group.invalidateTag(tagsOf(key)[0] ?? "none");
  }
}

const before = process.memoryUsage();
const filled = Array.from({ length: groups }, (_, index) => groupAt(index));
let charged = 0;
const popular: { readonly group: Filled; readonly key: string }[] = [];
for (const [number, phase] of workload.phases.entries()) {
  const volume = workload.volume * workload.maxBytes * groups;
  for (let index = 0, written = 0; written < volume && index < maxWrites; index++) {
    size = sizeOf(phase, index);
    const group = filled[index % groups] as Filled;
    const key = `${number}:${index}`;
    for (let read = 0; read < workload.reads; read++) await group.get(key);
    written += size + 150;
    if (index % 61 === 0 && popular.length < 20_000) popular.push({ group, key });
    if (index % 2003 === 0) {
      for (const at of popular) await at.group.get(at.key);
      await invalidate(group, key);
      noteCharge();
    }
    if (index % 256 === 0) await nextTurn();
  }
  noteCharge();
}
for (let turn = 0; turn < 3; turn++) {
  globalThis.gc?.();
  await nextTurn();
}
const after = process.memoryUsage();
const growth: Growth = {
  process: after.rss - before.rss,
  live: after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers,
  charged,
};
process.stdout.write(`${JSON.stringify(growth)}\n`);
// Keeps the caches reachable until the memory has been measured.
noteCharge();
process.exit(0);

function noteCharge(): void {
  let bytes = 0;
  for (const group of filled) {
    const { main, hot } = group.stats();
    bytes += main.bytes + hot.bytes;
    if (main.bytes + hot.bytes > maxBytes) throw new Error("I3: charged more than maxBytes");
  }
  charged = Math.max(charged, bytes);
}
