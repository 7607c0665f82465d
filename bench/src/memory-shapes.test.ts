import fc from "fast-check";
import { expect, it } from "vitest";
import { cacheGrowth } from "./processes/cache-growth.ts";
import type { SizePhase, Workload } from "./processes/workload.ts";

const isCampaign = process.env.PARSEC_CAMPAIGN === "1";
const mebibyte = 2 ** 20;
/** The floor of a group: empty, and what it may take beyond its budget. */
const floorBytes = (24 + 64) * 1024;
const liveNoiseBytes = mebibyte;
/** Below 64 MiB, the differences of two processes are a large part of the budget. */
const noiseBelowBytes = 64 * mebibyte;
const processNoiseBytes = 8 * mebibyte;
const budgetsMiB = isCampaign ? [16, 64, 128] : [16];

const anyPhase: fc.Arbitrary<SizePhase> = fc
  .tuple(
    fc.constantFrom<SizePhase["kind"]>("fixed", "bimodal", "mixed"),
    fc.constantFrom(0, 20, 100, 1000),
    fc.constantFrom(1, 50, 300, 700, 1500, 2300, 9000, 60_000, mebibyte),
  )
  .map(([kind, a, b]) => ({ kind, min: Math.min(a, b), max: Math.max(a, b) }));

const anyWorkload: fc.Arbitrary<Workload> = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  maxBytes: fc.constant(0),
  groups: fc.constantFrom(1, 1, 1, 3, 1000),
  phases: fc.array(anyPhase, { minLength: 1, maxLength: 4 }),
  shape: fc.constantFrom<Workload["shape"]>(
    "bytes",
    "bytes",
    "texts",
    "records",
    "dictionary",
    "vocabulary",
    "deep",
  ),
  tagsPerEntry: fc.constantFrom(0, 0, 1, 4, 16),
  ownTags: fc.boolean(),
  reads: fc.integer({ min: 1, max: 4 }),
  hot: fc.boolean(),
  invalidate: fc.constantFrom<Workload["invalidate"]>("nothing", "keys", "tags", "everything"),
  volume: fc.constantFrom(0.3, 1.5),
});

it("I3 a process grows by at most 1.3 times the budget and a floor for each group, whatever they hold", {
  timeout: isCampaign ? 3_600_000 : 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(anyWorkload, fc.constantFrom(...budgetsMiB), async (anyBudget, budgetMiB) => {
      const { groups } = anyBudget;
      const maxBytes = groups === 1000 ? 4096 : Math.floor((budgetMiB * mebibyte) / groups);
      const { live, process, charged } = await cacheGrowth(
        { ...anyBudget, maxBytes },
        { exact: true },
      );
      const allowed = 1.3 * maxBytes * groups + floorBytes * groups;
      const noise = maxBytes * groups < noiseBelowBytes - groups ? processNoiseBytes : 0;
      expect(charged).toBeLessThanOrEqual(maxBytes * groups);
      expect(live).toBeLessThanOrEqual(allowed + liveNoiseBytes);
      expect(process).toBeLessThanOrEqual(allowed + noise);
    }),
    { numRuns: isCampaign ? 200 : 3, endOnFailure: true },
  );
});
