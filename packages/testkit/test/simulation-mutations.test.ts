import type * as fc from "fast-check";
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
 * Breaks one thing in the cache at a time and demands that the simulator notices, within the
 * interleavings of a normal run. What it cannot notice, it does not prove.
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

/** Tells everybody at once and only once: no owner first, no second round for tags. */
const tellEverybodyAtOnce: InvalidateEverywhere = async (invalidation, on) => {
  on.apply();
  const peers = on.picker.peers();
  const told = await Promise.allSettled(
    peers.map((peer) => peer.invalidate(invalidation, { timeoutMs: on.timeoutMs })),
  );
  const failed = told.flatMap((outcome, index) =>
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
    name: "a load that an invalidation overtook is stored all the same",
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
    name: "a load that an invalidation overtook may still be joined and stored",
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
    name: "of two fences of a key only the larger is kept",
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
    // Where lookups carry fences they make up for the order, so it takes both to see it.
    name: "the owner is not told first, and lookups do not carry fences",
    breaks: "I2",
    plans: calmPlans,
    apply() {
      ignoreFences();
      replaced.invalidateEverywhere = tellEverybodyAtOnce;
    },
  },
  {
    name: "tags and whole groups are invalidated in one round",
    breaks: "I2",
    plans: calmPlans,
    apply() {
      replaced.invalidateEverywhere = tellEverybodyAtOnce;
    },
  },
  {
    name: "hot copies ignore the time to live",
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
    name: "copies are kept as if this node owned them",
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
    name: "the cache keeps more than its budget",
    breaks: "I3",
    plans: calmPlans,
    apply() {
      vi.spyOn(ByteStore.prototype, "bytes", "get").mockReturnValue(0);
    },
  },
  {
    name: "a load is not told that its last waiter has left",
    breaks: "I4",
    plans: calmPlans,
    apply() {
      vi.spyOn(Flight.prototype, "abort").mockImplementation(() => {});
    },
  },
  {
    name: "one caller's abort rejects everybody",
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
    name: "a failure is reported under another name",
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
    name: "a node answers its peers as it answers its callers, by asking on",
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
    name: "a load that ends leaves its timer behind",
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

describe("the simulator notices when", () => {
  afterEach(() => {
    vi.restoreAllMocks();
    replaced.invalidateEverywhere = undefined;
  });

  for (const { name, breaks, plans, apply } of mutations) {
    it(`${name} (${breaks})`, { timeout: 120_000 }, async () => {
      apply();
      const runs = Math.min(interleavings.calm, interleavings.stormy);
      const counts = (violation: { invariant: InvariantName }) => violation.invariant === breaks;
      const report = await runCampaign({ plans: plans(), runs, seed: 1, counts });
      expect(report.failure?.violations.map(({ invariant }) => invariant)).toContain(breaks);
    });
  }

  it("anything is broken, in words that replay it", { timeout: 120_000 }, async () => {
    vi.spyOn(Singleflight.prototype, "get").mockReturnValue(undefined);
    const first = await runCampaign({ plans: calmPlans(), runs: 1000, seed: 1 });
    const text = first.failure?.text ?? "";
    const [, seed, path] = /PARSEC_SIM_SEED=(\S+) PARSEC_SIM_PATH=(\S+)/.exec(text) ?? [];
    const replay = simulationReplayFromEnv({ PARSEC_SIM_SEED: seed, PARSEC_SIM_PATH: path });
    const again = await runCampaign({ plans: calmPlans(), runs: 1, ...replay });
    expect(again.failure?.plan).toEqual(first.failure?.plan);
    expect(again.failure?.violations).toEqual(first.failure?.violations);
    // Shrunk: one thing happening is enough to see that flights are not shared.
    expect(first.failure?.plan.commands).toHaveLength(1);
    for (const command of first.failure?.plan.commands ?? []) {
      expect(text).toContain(JSON.stringify(command));
    }
    vi.restoreAllMocks();
    const repaired = await runCampaign({ plans: calmPlans(), runs: 1, ...replay });
    expect(repaired.failure).toBeUndefined();
  });

  it("nothing is broken: otherwise it says nothing", { timeout: 120_000 }, async () => {
    for (const plans of [calmPlans(), stormyPlans()]) {
      const report = await runCampaign({ plans, runs: 300, seed: 1 });
      expect(report.failure?.text).toBeUndefined();
      expect(report.runs).toBe(300);
    }
  });
});
