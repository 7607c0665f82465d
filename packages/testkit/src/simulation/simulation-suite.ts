import type * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SimulationPlan } from "./plan/simulation-plan.ts";
import { runCampaign } from "./simulation-campaign.ts";
import { simulationReplayFromEnv } from "./simulation-replay.ts";

/** Options of {@link describeSimulation}. */
export interface SimulationSuiteOptions {
  /** Name in the test report, such as "calm clusters". */
  readonly name: string;
  /** Source of the plans, such as `calmPlans()`. */
  readonly plans: fc.Arbitrary<SimulationPlan>;
  /** Number of random interleavings to run. */
  readonly runs: number;
  /** Timeout of the test in ms. Defaults to 30 s and 50 ms for each run. */
  readonly timeoutMs?: number;
}

/**
 * Declares a test that runs a campaign and fails with the shortest counterexample; call it in a vitest
 * file. It runs the same interleavings each time, unless the environment variable `PARSEC_SIM_SEED` is
 * `random`. The `PARSEC_SIM_SEED` and `PARSEC_SIM_PATH` that a failure prints replay it.
 */
export function describeSimulation(options: SimulationSuiteOptions): void {
  const { name, plans, runs } = options;
  const replay = simulationReplayFromEnv(process.env);
  const count = runs.toLocaleString("en");
  describe(`simulation: ${name}`, () => {
    const title =
      replay.path === undefined ? `${count} random interleavings` : "the replayed interleaving";
    it(`I1 to I8 hold in ${title}`, {
      timeout: options.timeoutMs ?? 30_000 + runs * 50,
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
