import * as fc from "fast-check";
import { createPlacementMemory } from "../memory-transport/placement-memory.ts";
import type { Violation } from "./history/simulation-history.ts";
import { checkHistory } from "./invariants/check-history.ts";
import type { SimulationPlan } from "./plan/simulation-plan.ts";
import { runSimulation } from "./run-simulation.ts";

/** Options of {@link runCampaign}. */
export interface CampaignOptions {
  /** Source of the plans, such as `stormyPlans()`. */
  readonly plans: fc.Arbitrary<SimulationPlan>;
  /** Number of plans to run. */
  readonly runs: number;
  /** Seed of the plans; the one of a failed campaign replays it. Random by default. */
  readonly seed?: number | undefined;
  /** Path printed by a failed campaign: runs only its shortest counterexample. */
  readonly path?: string | undefined;
  /** Selects the violations that fail the campaign. Defaults to all. */
  readonly counts?: (violation: Violation) => boolean;
}

/** Result of {@link runCampaign}. */
export interface CampaignReport {
  /** Number of plans that ran without a failure, without those of shrinking. */
  readonly runs: number;
  readonly seed: number;
  /** The shortest run that violates an invariant; undefined when all hold. */
  readonly failure: CampaignFailure | undefined;
}

/** The shortest run of a campaign that violates an invariant. */
export interface CampaignFailure {
  readonly path: string;
  readonly plan: SimulationPlan;
  readonly violations: readonly Violation[];
  /** Violations and plan as text, with the variables that replay the run. */
  readonly text: string;
}

/** Runs random plans until one violates an invariant, then searches the shortest one that does. */
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
      throw new Error("the campaign failed without a violation", { cause: details.errorInstance });
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
