import type { SimulationHistory, Violation } from "../history/simulation-history.ts";
import type { SimulationPlan } from "../plan/simulation-plan.ts";
import { checkBoundedBytes } from "./bounded-bytes.ts";
import { checkBoundedLifetime } from "./bounded-lifetime.ts";
import { checkEverythingEnds } from "./everything-ends.ts";
import { checkFreshAfterInvalidation } from "./fresh-after-invalidation.ts";
import { checkHonestErrors } from "./honest-errors.ts";
import { checkNoForwarding } from "./no-forwarding.ts";
import { checkOneFetch } from "./one-fetch.ts";
import { checkOwnAbort } from "./own-abort.ts";
import { prepareCheck } from "./run-under-check.ts";

/** Returns all violations of the invariants I1 to I8 in the history of a simulation; empty when they hold. */
export function checkHistory(plan: SimulationPlan, history: SimulationHistory): Violation[] {
  const found: Violation[] = [];
  const run = prepareCheck({ plan, history }, found);
  checkOneFetch(run);
  checkFreshAfterInvalidation(run);
  checkBoundedBytes(run);
  checkOwnAbort(run);
  checkHonestErrors(run);
  checkNoForwarding(run);
  checkBoundedLifetime(run);
  checkEverythingEnds(run);
  return found;
}
