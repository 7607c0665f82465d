import * as fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { GroupEngine } from "../../core/src/group/group-engine.ts";
import { Flight, Singleflight } from "../../core/src/group/singleflight.ts";
import { FenceTable } from "../../core/src/invalidation/fences.ts";
import type { invalidateEverywhere } from "../../core/src/invalidation/invalidation.ts";
import { ByteStore } from "../../core/src/memory/byte-store.ts";
import { GroupMemory } from "../../core/src/memory/group-memory.ts";
import type { InvariantName } from "../src/simulation/history/simulation-history.ts";
import { calmPlans, stormyPlans } from "../src/simulation/plan/simulation-arbitrary.ts";
import type { SimulationPlan } from "../src/simulation/plan/simulation-plan.ts";
import { runCampaign } from "../src/simulation/simulation-campaign.ts";
import { simulationReplayFromEnv } from "../src/simulation/simulation-replay.ts";
import { interleavings } from "./interleavings.ts";

/*
 * Each mutation breaks the cache in one way. The simulator must find it within the interleavings of
 * `pnpm test`: it does not prove what it cannot find.
 */

type InvalidateEverywhere = typeof invalidateEverywhere;

const replaced: { invalidateEverywhere: InvalidateEverywhere | undefined } = vi.hoisted(() => ({
  invalidateEverywhere: undefined,
}));

vi.mock("../../core/src/invalidation/invalidation.ts", async (importOriginal) => {
  const original = await importOriginal<{ invalidateEverywhere: InvalidateEverywhere }>();
  const chosen: InvalidateEverywhere = (invalidation, on) =>
    (replaced.invalidateEverywhere ?? original.invalidateEverywhere)(invalidation, on);
  return { ...original, invalidateEverywhere: chosen };
});

/** Sends an invalidation to all peers at once: not to the owner first, and without a second round for tags. */
const invalidateInOneRound: InvalidateEverywhere = async (invalidation, on) => {
  on.apply();
  const peers = on.picker.peers();
  const outcomes = await Promise.allSettled(
    peers.map((peer) => peer.invalidate(invalidation, { timeoutMs: on.timeoutMs })),
  );
  const failed = outcomes.flatMap((outcome, index) =>
    outcome.status === "rejected"
      ? [{ peerId: peers[index]?.id ?? "", error: outcome.reason as never }]
      : [],
  );
  const failedIds = new Set(failed.map((failure) => failure.peerId));
  const reached = peers.map((peer) => peer.id).filter((id) => !failedIds.has(id));
  return { acknowledged: [on.picker.selfId, ...reached], failed };
};

function ignoreFences(): void {
  vi.spyOn(FenceTable.prototype, "get").mockReturnValue(0);
}

interface Mutation {
  readonly name: string;
  readonly breaks: InvariantName;
  readonly plans: () => fc.Arbitrary<SimulationPlan>;
  readonly apply: () => void;
}

const mutations: readonly Mutation[] = [
  {
    name: "a load that an invalidation has detached is stored",
    breaks: "I2",
    plans: calmPlans,
    apply() {
      const detach = Singleflight.prototype.detach;
      vi.spyOn(Singleflight.prototype, "detach").mockImplementation(function (
        this: Singleflight<unknown>,
        key,
      ) {
        const flight = this.get(key);
        detach.call(this, key);
        if (flight !== undefined) flight.detached = false;
      });
    },
  },
  {
    name: "a load is not detached by an invalidation, so that callers join it and its value is stored",
    breaks: "I2",
    plans: calmPlans,
    apply() {
      vi.spyOn(Singleflight.prototype, "detach").mockImplementation(() => {});
    },
  },
  {
    name: "lookups do not carry fences",
    breaks: "I2",
    plans: stormyPlans,
    apply: ignoreFences,
  },
  {
    name: "owners ignore the fences of lookups",
    breaks: "I2",
    plans: stormyPlans,
    apply() {
      vi.spyOn(FenceTable.prototype, "knows").mockReturnValue(true);
    },
  },
  {
    name: "only the larger of two fences of a key is kept",
    breaks: "I2",
    plans: stormyPlans,
    apply() {
      const largest = new WeakMap<FenceTable, Map<string, number>>();
      const mapOf = (table: FenceTable): Map<string, number> => {
        const map = largest.get(table) ?? new Map<string, number>();
        largest.set(table, map);
        return map;
      };
      vi.spyOn(FenceTable.prototype, "get").mockImplementation(function (this: FenceTable, key) {
        return mapOf(this).get(key) ?? 0;
      });
      vi.spyOn(FenceTable.prototype, "knows").mockImplementation(function (
        this: FenceTable,
        key,
        fence,
      ) {
        return fence === 0 || mapOf(this).get(key) === fence;
      });
      vi.spyOn(FenceTable.prototype, "add").mockImplementation(function (
        this: FenceTable,
        key,
        fence,
      ) {
        mapOf(this).set(key, Math.max(fence, mapOf(this).get(key) ?? 0));
      });
    },
  },
  {
    // The fences of lookups compensate for the order, so that only both faults together show.
    name: "the owner is not invalidated first, and lookups do not carry fences",
    breaks: "I2",
    plans: calmPlans,
    apply() {
      ignoreFences();
      replaced.invalidateEverywhere = invalidateInOneRound;
    },
  },
  {
    name: "tags and whole groups are invalidated in one round",
    breaks: "I2",
    plans: calmPlans,
    apply() {
      replaced.invalidateEverywhere = invalidateInOneRound;
    },
  },
  {
    name: "hot copies ignore the ttl",
    breaks: "I7",
    plans: calmPlans,
    apply() {
      const store = GroupMemory.prototype.store;
      vi.spyOn(GroupMemory.prototype, "store").mockImplementation(function (
        this: GroupMemory<unknown>,
        key,
        entry,
      ) {
        const freshUntil = entry.hot ? Number.POSITIVE_INFINITY : entry.freshUntil;
        return store.call(this, key, { ...entry, freshUntil });
      });
    },
  },
  {
    name: "copies are stored in the main cache",
    breaks: "I5",
    plans: calmPlans,
    apply() {
      const store = GroupMemory.prototype.store;
      vi.spyOn(GroupMemory.prototype, "store").mockImplementation(function (
        this: GroupMemory<unknown>,
        key,
        entry,
      ) {
        return store.call(this, key, { ...entry, hot: false });
      });
    },
  },
  {
    name: "flights are not shared",
    breaks: "I1",
    plans: calmPlans,
    apply() {
      vi.spyOn(Singleflight.prototype, "get").mockReturnValue(undefined);
    },
  },
  {
    name: "the cache exceeds maxBytes",
    breaks: "I3",
    plans: calmPlans,
    apply() {
      vi.spyOn(ByteStore.prototype, "bytes", "get").mockReturnValue(0);
    },
  },
  {
    name: "a load is not cancelled when its last waiter has left",
    breaks: "I4",
    plans: calmPlans,
    apply() {
      vi.spyOn(Flight.prototype, "abort").mockImplementation(() => {});
    },
  },
  {
    name: "the abort of one caller rejects all callers",
    breaks: "I4",
    plans: calmPlans,
    apply() {
      const wait = Flight.prototype.wait;
      vi.spyOn(Flight.prototype, "wait").mockImplementation(function (
        this: Flight<unknown>,
        signal,
      ) {
        signal?.addEventListener("abort", () =>
          this.reject(Object.assign(new Error("shared"), { code: "ABORTED" }) as never),
        );
        return wait.call(this, signal);
      });
    },
  },
  {
    name: "an error is reported with another code",
    breaks: "I5",
    plans: calmPlans,
    apply() {
      const reject = Flight.prototype.reject;
      vi.spyOn(Flight.prototype, "reject").mockImplementation(function (
        this: Flight<unknown>,
        error,
      ) {
        const disguised = error.code === "ORIGIN_FAILED" ? { code: "PEER_UNREACHABLE" } : {};
        return reject.call(this, Object.assign(error, disguised));
      });
    },
  },
  {
    name: "a node forwards the lookups of its peers",
    breaks: "I6",
    plans: stormyPlans,
    apply() {
      vi.spyOn(GroupEngine.prototype, "answer").mockImplementation(async function (
        this: GroupEngine<never, unknown>,
        lookup,
      ) {
        const value = await this.get(lookup.key, { id: lookup.key } as never);
        const bytes =
          value instanceof Uint8Array ? value : Buffer.from(JSON.stringify(value ?? null));
        return { value: bytes, ttlMs: 0, fence: 0, ratePerMinute: 0 };
      });
    },
  },
  {
    name: "a load that has ended leaves its timer",
    breaks: "I8",
    plans: calmPlans,
    apply() {
      const resolve = Flight.prototype.resolve;
      vi.spyOn(Flight.prototype, "resolve").mockImplementation(function (
        this: Flight<unknown>,
        value,
      ) {
        this.onSettled = undefined;
        return resolve.call(this, value);
      });
    },
  },
];

describe("the simulator finds that", () => {
  afterEach(() => {
    vi.restoreAllMocks();
    replaced.invalidateEverywhere = undefined;
  });

  for (const { name, breaks, plans, apply } of mutations) {
    it(`${name} (${breaks})`, { timeout: 120_000 }, async () => {
      apply();
      const runs = Math.min(interleavings.calm, interleavings.stormy);
      const counts = (violation: { invariant: InvariantName }) => violation.invariant === breaks;
      // Shrinking, which takes most of the time of a failed campaign, has a test below.
      const report = await runCampaign({ plans: fc.noShrink(plans()), runs, seed: 1, counts });
      expect(report.failure?.violations.map(({ invariant }) => invariant)).toContain(breaks);
    });
  }

  it("flights are not shared, and prints how to replay it", { timeout: 120_000 }, async () => {
    vi.spyOn(Singleflight.prototype, "get").mockReturnValue(undefined);
    const first = await runCampaign({ plans: calmPlans(), runs: 1000, seed: 1 });
    const text = first.failure?.text ?? "";
    const [, seed, path] = /PARSEC_SIM_SEED=(\S+) PARSEC_SIM_PATH=(\S+)/.exec(text) ?? [];
    const replay = simulationReplayFromEnv({ PARSEC_SIM_SEED: seed, PARSEC_SIM_PATH: path });
    const again = await runCampaign({ plans: calmPlans(), runs: 1, ...replay });
    expect(again.failure?.plan).toEqual(first.failure?.plan);
    expect(again.failure?.violations).toEqual(first.failure?.violations);
    // Shrunk to one command, which is enough to show that flights are not shared.
    expect(first.failure?.plan.commands).toHaveLength(1);
    for (const command of first.failure?.plan.commands ?? []) {
      expect(text).toContain(JSON.stringify(command));
    }
    vi.restoreAllMocks();
    const repaired = await runCampaign({ plans: calmPlans(), runs: 1, ...replay });
    expect(repaired.failure).toBeUndefined();
  });

  it("no invariant is violated without a mutation", { timeout: 120_000 }, async () => {
    for (const plans of [calmPlans(), stormyPlans()]) {
      const report = await runCampaign({ plans, runs: 300, seed: 1 });
      expect(report.failure?.text).toBeUndefined();
      expect(report.runs).toBe(300);
    }
  });
});
