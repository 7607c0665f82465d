import type { Plan } from "../plan.ts";
import { cacheGrowth } from "../processes/cache-growth.ts";
import type { SizePhase, Workload } from "../processes/workload.ts";
import { compare, type Row } from "../result.ts";
import { parsecVersion } from "../versions.ts";

const suite = "memory by shape";
const mebibyte = 2 ** 20;

function fixed(...sizes: readonly number[]): SizePhase[] {
  return sizes.map((max) => ({ kind: "fixed", min: 0, max }));
}

const base: Workload = {
  seed: 7,
  maxBytes: 64 * mebibyte,
  groups: 1,
  phases: fixed(300),
  shape: "bytes",
  tagsPerEntry: 0,
  ownTags: false,
  reads: 1,
  hot: false,
  invalidate: "nothing",
  volume: 1.5,
};

const cases: Readonly<Record<string, Partial<Workload>>> = {
  "value sizes drift from 300 to 2,300 bytes": {
    phases: fixed(300, 450, 700, 1000, 1400, 1850, 2300),
  },
  "values of 100 bytes, then of 60 kB, twice": { phases: fixed(100, 60_000, 100, 60_000) },
  "values of 0 bytes to 1 MiB": { phases: [{ kind: "mixed", min: 0, max: mebibyte }] },
  "4 tags of its own for each entry": { tagsPerEntry: 4, ownTags: true, phases: fixed(8) },
  "decoded arrays of texts": { shape: "texts", reads: 3, phases: fixed(4000) },
  "decoded dictionaries": { shape: "dictionary", reads: 3, phases: fixed(4000) },
  "decoded objects, deeply nested": { shape: "deep", reads: 3, phases: fixed(500) },
  "copies of another node's records": { shape: "records", reads: 3, hot: true },
};

/** Growth of a process with a cache of 64 MiB beyond that of the same work without a cache, by what the cache holds. */
export async function memoryShapes(plan: Plan): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, changes] of Object.entries(cases)) {
    const workload = { ...base, ...changes, ...(plan.smoke ? { volume: 0.01 } : {}) };
    const subject = {
      name: "parsec",
      versions: parsecVersion(),
      run: async () => (await cacheGrowth(workload)).process / workload.maxBytes,
    };
    const label = { suite, case: name, unit: "x budget" };
    rows.push(...(await compare(label, { plan, subjects: [subject] })));
  }
  return rows;
}
