import type * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runCampaign } from "./simulation-campaign.ts";
import type { SimulationPlan } from "./simulation-plan.ts";

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

/** The same interleavings each time, so that a failure belongs to the change that caused it. */
const usualSeed = 20_251;

interface Replay {
  readonly seed: number | undefined;
  readonly path: string | undefined;
}

function replayFromEnv(env: NodeJS.ProcessEnv): Replay {
  const { PARSEC_SIM_SEED: seed, PARSEC_SIM_PATH: path } = env;
  if (seed === "random") return { seed: undefined, path: undefined };
  if (seed === undefined) return { seed: usualSeed, path: undefined };
  const number = Number(seed);
  if (!Number.isInteger(number)) {
    throw new Error(`PARSEC_SIM_SEED must be "random" or an integer, not ${JSON.stringify(seed)}`);
  }
  return { seed: number, path };
}

/**
 * Declares a test that runs a campaign and fails with the smallest counterexample. It tries the
 * same interleavings each time, unless the environment says otherwise: `PARSEC_SIM_SEED=random`
 * tries new ones, and the `PARSEC_SIM_SEED` and `PARSEC_SIM_PATH` that a failure prints replay it.
 */
export function describeSimulation(options: SimulationSuiteOptions): void {
  const { name, plans, runs } = options;
  const replay = replayFromEnv(process.env);
  const count = runs.toLocaleString("en");
  describe(`simulation: ${name}`, () => {
    it(`I1 to I8 hold in ${count} random interleavings`, {
      timeout: options.timeoutMs ?? runs * 20,
    }, async () => {
      const report = await runCampaign({ plans, runs, ...replay });
      if (report.failure !== undefined) throw new Error(report.failure.text);
      expect(report.runs).toBe(replay.path === undefined ? runs : 1);
    });
  });
}
