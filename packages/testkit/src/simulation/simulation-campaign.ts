import * as fc from "fast-check";
import type { Violation } from "./history/simulation-history.ts";
import { checkHistory } from "./invariants/check-history.ts";
import { createPlacementMemory } from "./placement-memory.ts";
import type { SimulationPlan } from "./plan/simulation-plan.ts";
import { runSimulation } from "./run-simulation.ts";

/** A series of random runs. */
export interface CampaignOptions {
  readonly plans: fc.Arbitrary<SimulationPlan>;
  /** How many interleavings to try. */
  readonly runs: number;
  /** The seed of a campaign that failed; random by default. */
  readonly seed?: number | undefined;
  /** The path that a failed campaign printed: goes straight to its smallest counterexample. */
  readonly path?: string | undefined;
  /** Which violations count. Defaults to all. */
  readonly counts?: (violation: Violation) => boolean;
}

/** What a campaign found out. */
export interface CampaignReport {
  /** Interleavings that ran from start to end, those of shrinking not counted. */
  readonly runs: number;
  readonly seed: number;
  /** The smallest run that broke an invariant; undefined when all held. */
  readonly failure: CampaignFailure | undefined;
}

export interface CampaignFailure {
  readonly path: string;
  readonly plan: SimulationPlan;
  readonly violations: readonly Violation[];
  /** All of the above as text, with the variables that replay it. */
  readonly text: string;
}

/** Runs random plans until one breaks an invariant, then looks for the smallest that does. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const { plans, runs, counts = () => true } = options;
  const place = createPlacementMemory();
  let completed = 0;
  let failing = false;
  const violationsOf = async (plan: SimulationPlan): Promise<readonly Violation[]> =>
    checkHistory(plan, await runSimulation(plan, { place })).filter(counts);
  const holds = fc.asyncProperty(plans, async (plan) => {
    const violations = await violationsOf(plan);
    if (violations.length > 0) failing = true;
    if (!failing) completed++;
    return violations.length === 0;
  });
  const details = await fc.check(holds, {
    numRuns: runs,
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.path === undefined ? {} : { path: options.path }),
  });
  const plan = details.counterexample?.[0];
  const path = details.counterexamplePath;
  if (plan === undefined || path === null) {
    if (details.failed)
      throw new Error("the campaign itself failed", { cause: details.errorInstance });
    return { runs: completed, seed: details.seed, failure: undefined };
  }
  const violations = await violationsOf(plan);
  const text = describeFailure({ seed: details.seed, path, plan, violations });
  return { runs: completed, seed: details.seed, failure: { path, plan, violations, text } };
}

function describeFailure(failure: {
  readonly seed: number;
  readonly path: string;
  readonly plan: SimulationPlan;
  readonly violations: readonly Violation[];
}): string {
  const { commands, ...setting } = failure.plan;
  return [
    ...failure.violations.slice(0, 5).map(({ invariant, text }) => `${invariant}: ${text}`),
    `setting: ${JSON.stringify(setting)}`,
    "commands:",
    ...commands.map((command) => `  ${JSON.stringify(command)}`),
    `replay: PARSEC_SIM_SEED=${failure.seed} PARSEC_SIM_PATH=${failure.path}`,
  ].join("\n");
}
