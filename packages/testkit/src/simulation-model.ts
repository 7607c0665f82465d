import { checkBoundedBytes } from "./invariants/bounded-bytes.ts";
import { checkBoundedLifetime } from "./invariants/bounded-lifetime.ts";
import { checkEverythingEnds } from "./invariants/everything-ends.ts";
import { checkFreshAfterInvalidation } from "./invariants/fresh-after-invalidation.ts";
import { checkHonestErrors } from "./invariants/honest-errors.ts";
import { checkNoForwarding } from "./invariants/no-forwarding.ts";
import { checkOneFetch } from "./invariants/one-fetch.ts";
import { checkOwnAbort } from "./invariants/own-abort.ts";
import { prepareCheck } from "./invariants/run-under-check.ts";
import type { SimulationHistory, Violation } from "./simulation-history.ts";
import type { SimulationPlan } from "./simulation-plan.ts";

/** Everything in the history of a run that the invariants I1 to I8 forbid; empty when they held. */
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
