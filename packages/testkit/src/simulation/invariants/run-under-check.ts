import type { PeerInvalidationTarget } from "@parsec/core";
import type {
  InvariantName,
  SimulatedOutcome,
  SimulationHistory,
  Violation,
} from "../history/simulation-history.ts";
import { type SimulationPlan, tagsOfSimulatedKey } from "../plan/simulation-plan.ts";

/** A finished run, with queries that several invariants use. */
export interface RunUnderCheck {
  readonly plan: SimulationPlan;
  readonly history: SimulationHistory;
  /** True when all nodes agreed on the membership and were reachable from well before `fromMs` until `toMs`. */
  calm(fromMs: number, toMs: number): boolean;
  /** True when an invalidation that may affect the key began before the step. */
  everInvalidated(key: string, beforeStep: number): boolean;
  /** Maximum travel time of a message or of its late copy. */
  readonly maxTravelMs: number;
  /** True when the node had received the value of another node's fetch as its new owner by that step. */
  inherited(node: string, fetch: number, byStep: number): boolean;
  /** True when the network has no message faults. */
  readonly reliable: boolean;
  report(invariant: InvariantName, text: string): void;
}

/** True when the invalidation affects the key. */
export function covers(target: PeerInvalidationTarget, key: string): boolean {
  if (target.kind === "all") return true;
  if (target.kind === "tag") return tagsOfSimulatedKey(key).includes(target.tag);
  return target.keys.includes(key);
}

/** True when the invalidation may detach flights of the key, whose tags are unknown until their values arrive. */
export function mayDetach(target: PeerInvalidationTarget, key: string): boolean {
  return target.kind !== "keys" || target.keys.includes(key);
}

/** Creates the queries of a run; violations are added to `found`. */
export function prepareCheck(
  run: { readonly plan: SimulationPlan; readonly history: SimulationHistory },
  found: Violation[],
): RunUnderCheck {
  const { plan, history } = run;
  const { loseShare, garbleShare, duplicateShare, maxDelayMs, maxLateMs } = plan.network;
  // Messages and loads of a period of unrest may have effects for this long after it.
  const echoMs = 2 * plan.policy.timeoutMs + 2 * maxDelayMs + maxLateMs;
  const maxTravelMs = maxDelayMs + (duplicateShare > 0 ? maxLateMs : 0);
  return {
    plan,
    history,
    calm: (fromMs, toMs) =>
      history.unrest.every(
        (unrest) =>
          unrest.from.atMs > toMs || (unrest.to !== undefined && unrest.to.atMs + echoMs < fromMs),
      ),
    everInvalidated: (key, beforeStep) =>
      history.invalidations.some(
        (invalidation) =>
          invalidation.begun.step < beforeStep && mayDetach(invalidation.target, key),
      ),
    inherited: (node, fetch, byStep) => inheritedBy(history, { node, fetch, byStep }),
    maxTravelMs,
    reliable: loseShare === 0 && garbleShare === 0 && duplicateShare === 0,
    report: (invariant, text) => found.push({ invariant, text }),
  };
}

function inheritedBy(
  { looks, given }: SimulationHistory,
  what: { readonly node: string; readonly fetch: number; readonly byStep: number },
): boolean {
  const isIt = (outcome: SimulatedOutcome | undefined): boolean =>
    outcome?.kind === "value" && outcome.fetch === what.fetch;
  const [id] = what.node.split("#");
  return (
    looks.some(
      ({ node, settled, outcome }) =>
        node === what.node && (settled?.step ?? Infinity) <= what.byStep && isIt(outcome),
    ) || given.some(({ to, at, outcome }) => to === id && at.step <= what.byStep && isIt(outcome))
  );
}
