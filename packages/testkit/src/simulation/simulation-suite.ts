import type * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SimulationPlan } from "./plan/simulation-plan.ts";
import { runCampaign } from "./simulation-campaign.ts";
import { simulationReplayFromEnv } from "./simulation-replay.ts";

/** A campaign as a test. */
export interface SimulationSuiteOptions {
  /** What the test report calls it, such as "calm clusters". */
  readonly name: string;
  readonly plans: fc.Arbitrary<SimulationPlan>;
  /** How many random interleavings a run of the test tries. */
  readonly runs: number;
  /** How long they may take. Defaults to 20 ms each. */
  readonly timeoutMs?: number;
}

/**
 * Declares a test that runs a campaign and fails with the smallest counterexample. It tries the
 * same interleavings each time, unless the environment says otherwise: `PARSEC_SIM_SEED=random`
 * tries new ones, and the `PARSEC_SIM_SEED` and `PARSEC_SIM_PATH` that a failure prints replay it.
 */
export function describeSimulation(options: SimulationSuiteOptions): void {
  const { name, plans, runs } = options;
  const replay = simulationReplayFromEnv(process.env);
  const count = runs.toLocaleString("en");
  describe(`simulation: ${name}`, () => {
    const title =
      replay.path === undefined ? `${count} random interleavings` : "the replayed interleaving";
    it(`I1 to I8 hold in ${title}`, {
      timeout: options.timeoutMs ?? runs * 20,
    }, async ({ annotate }) => {
      const startedMs = performance.now();
      const report = await runCampaign({ plans, runs, ...replay });
      const seconds = (performance.now() - startedMs) / 1000;
      await annotate(
        `${report.runs.toLocaleString("en")} interleavings from seed ${report.seed} in ${seconds.toFixed(1)} s`,
      );
      if (report.failure !== undefined) throw new Error(report.failure.text);
      if (replay.path === undefined) expect(report.runs).toBe(runs);
      // The former counterexample, and the simpler ones beside it.
      else expect(report.runs).toBeGreaterThan(0);
    });
  });
}
