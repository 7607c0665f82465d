import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPlacementMemory } from "../memory-transport/placement-memory.ts";
import { checkHistory } from "./invariants/check-history.ts";
import { stormyPlans } from "./plan/simulation-arbitrary.ts";
import type { SimulationCommand, SimulationPlan } from "./plan/simulation-plan.ts";
import { runSimulation } from "./run-simulation.ts";

function planOf(
  commands: readonly SimulationCommand[],
  over: Partial<SimulationPlan> = {},
): SimulationPlan {
  return {
    seed: 5,
    nodeCount: 3,
    isNew: true,
    surface: "group",
    policy: {
      maxBytes: 2 ** 20,
      ttlMs: 3_600_000,
      ttlJitter: 0,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 0,
      negativeTtlMs: 0,
      timeoutMs: 200,
      onPeerFailure: "load",
      hot: { minRatePerMinute: 0 },
    },
    network: {
      minDelayMs: 1,
      maxDelayMs: 5,
      loseShare: 0,
      garbleShare: 0,
      duplicateShare: 0,
      maxLateMs: 5,
    },
    origin: {
      maxDurationMs: 20,
      failShare: 0,
      throwShare: 0,
      absentShare: 0,
      nonsenseShare: 0,
      hangShare: 0,
      deafShare: 0,
    },
    commands,
    ...over,
  };
}

it("the same plan gives the same history", async () => {
  const place = createPlacementMemory();
  for (const plan of fc.sample(stormyPlans(), { numRuns: 20, seed: 3 })) {
    expect(await runSimulation(plan, { place })).toEqual(await runSimulation(plan, { place }));
  }
});

it("a different seed gives a different history", async () => {
  const commands: SimulationCommand[] = [{ do: "stampede", afterMs: 0, key: 0, count: 3 }];
  const one = await runSimulation(planOf(commands, { seed: 1 }));
  const two = await runSimulation(planOf(commands, { seed: 2 }));
  expect(one.gets.map((get) => get.settled?.atMs)).not.toEqual(
    two.gets.map((get) => get.settled?.atMs),
  );
});

for (const surface of ["group", "source"] as const) {
  describe(`through a ${surface}`, () => {
    it("a stampede on every node costs one fetch", async () => {
      const plan = planOf([{ do: "stampede", afterMs: 0, key: 1, count: 5 }], { surface });
      const history = await runSimulation(plan);
      const asked = history.gets.filter((get) => get.key === "k1" && get.how === "get");
      expect(asked.length).toBeGreaterThanOrEqual(15);
      expect(history.fetches.filter((fetch) => fetch.key === "k1")).toHaveLength(1);
      expect(checkHistory(plan, history)).toEqual([]);
    });

    it("all nodes return the new version after a write and an invalidation", async () => {
      const plan = planOf(
        [
          { do: "stampede", afterMs: 0, key: 0, count: 1 },
          { do: "write", afterMs: 100, key: 0 },
          { do: "invalidate", afterMs: 0, node: 2, key: 0 },
          { do: "stampede", afterMs: 100, key: 0, count: 1 },
        ],
        { surface },
      );
      const history = await runSimulation(plan);
      const [invalidation] = history.invalidations;
      expect(new Set(invalidation?.acknowledged)).toEqual(new Set(["n0#1", "n1#1", "n2#1"]));
      expect(invalidation?.failed).toEqual([]);
      const late = history.gets.filter((get) => get.key === "k0" && get.begun.atMs >= 200);
      expect(late.length).toBeGreaterThan(0);
      for (const get of late) expect(get.outcome).toMatchObject({ kind: "value", version: 2 });
    });

    it("a crashed node is in failed, and restarts with an empty cache", async () => {
      const plan = planOf(
        [
          { do: "stampede", afterMs: 0, key: 0, count: 1 },
          { do: "crash", afterMs: 100, node: 1, silent: false },
          { do: "invalidate", afterMs: 1, node: 0, key: 0 },
          { do: "restart", afterMs: 100, node: 0 },
          { do: "agree", afterMs: 1 },
          { do: "stampede", afterMs: 100, key: 0, count: 1 },
        ],
        { surface },
      );
      const history = await runSimulation(plan);
      expect(history.invalidations[0]?.failed).toEqual(["n1"]);
      expect(history.deaths.has("n1#1")).toBe(true);
      expect(history.gets.some((get) => get.node === "n1#2" && get.outcome?.kind === "value")).toBe(
        true,
      );
      expect(checkHistory(plan, history)).toEqual([]);
    });
  });
}

it("every command is valid in every state", async () => {
  const commands: SimulationCommand[] = [
    { do: "restart", afterMs: 0, node: 0 },
    { do: "crash", afterMs: 0, node: 0, silent: true },
    { do: "crash", afterMs: 0, node: 0, silent: true },
    { do: "crash", afterMs: 0, node: 0, silent: true },
    { do: "cut", afterMs: 0, node: 1, other: 1, silent: false },
    { do: "getMany", afterMs: 0, node: 7, keys: [9] },
    { do: "getUncached", afterMs: 0, node: 3 },
    { do: "updatePeers", afterMs: 0, node: 3, members: 15 },
    { do: "invalidateTag", afterMs: 0, node: 3, tag: 5 },
    { do: "invalidateAll", afterMs: 0, node: 3 },
    { do: "heal", afterMs: 0 },
  ];
  const plan = planOf(commands);
  expect(checkHistory(plan, await runSimulation(plan))).toEqual([]);
});
