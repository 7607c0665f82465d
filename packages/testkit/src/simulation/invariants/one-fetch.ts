import type { FetchRecord } from "../history/simulation-history.ts";
import { mayDetach, type RunUnderCheck } from "./run-under-check.ts";

/** With less, an entry may be evicted or be too large for the cache. */
const roomForAllBytes = 2 ** 20;

/** I1: one origin fetch in flight per key in the whole cluster, and none for a fresh entry in memory. */
export function checkOneFetch(run: RunUnderCheck): void {
  const { fetches } = run.history;
  for (const [index, fetch] of fetches.entries()) {
    if (fetch.key === "") continue;
    for (const earlier of fetches.slice(0, index)) {
      if (earlier.key !== fetch.key) continue;
      if (overlaps(earlier, fetch) && undisturbedBetween(run, earlier, fetch)) {
        run.report(
          "I1",
          `fetch ${fetch.id} of ${fetch.key} on ${fetch.node} began while fetch ${earlier.id} on ${earlier.node} was in flight`,
        );
      }
      if (stillFresh(run, earlier, fetch)) {
        run.report(
          "I1",
          `fetch ${fetch.id} of ${fetch.key} began at ${fetch.begun.atMs} ms although the value of fetch ${earlier.id} was fresh`,
        );
      }
    }
  }
}

/** True when `earlier` was in flight and not cancelled when `later` began. */
function overlaps(earlier: FetchRecord, later: FetchRecord): boolean {
  const over = earlier.ended ?? earlier.signalled;
  const given = earlier.signalled ?? over;
  const activeUntil = Math.min(over?.step ?? Infinity, given?.step ?? Infinity);
  return later.begun.step < activeUntil;
}

/** The conditions of I1: an agreed membership, all members reachable, no invalidation, no crash. */
function undisturbedBetween(run: RunUnderCheck, earlier: FetchRecord, later: FetchRecord): boolean {
  const { history } = run;
  const death = history.deaths.get(earlier.node);
  if (death !== undefined && death.step < later.begun.step) return false;
  if (!run.calm(earlier.begun.atMs, later.begun.atMs)) return false;
  if (disturbedFences(run, later)) return false;
  return !unreachableBetween(run, earlier, later);
}

/** After an invalidation that did not reach all nodes, or a later change, owners may have to fetch again. */
function disturbedFences(run: RunUnderCheck, later: FetchRecord): boolean {
  const { history } = run;
  if (!run.everInvalidated(later.key, later.begun.step)) return false;
  return (
    history.unrest.some((unrest) => unrest.from.step < later.begun.step) || !settledWell(run, later)
  );
}

/** True when all nodes had acknowledged every invalidation of the key long before. */
function settledWell(run: RunUnderCheck, later: FetchRecord): boolean {
  const { maxDelayMs, maxLateMs } = run.plan.network;
  return run.history.invalidations.every((invalidation) => {
    if (invalidation.begun.step > later.begun.step) return true;
    if (!mayDetach(invalidation.target, later.key)) return true;
    const { settled, failed } = invalidation;
    if (settled === undefined || failed === undefined || failed.length > 0) return false;
    // By then, messages in flight at the acknowledgement have arrived.
    return later.begun.atMs > settled.atMs + 2 * maxDelayMs + maxLateMs + run.plan.policy.timeoutMs;
  });
}

/** A node that cannot reach the owner, or cannot read its answer, loads the value itself. */
function unreachableBetween(run: RunUnderCheck, earlier: FetchRecord, later: FetchRecord): boolean {
  return run.history.questions.some(
    (question) =>
      question.key === later.key &&
      question.code === "PEER_UNREACHABLE" &&
      question.settled !== undefined &&
      question.settled.step < later.begun.step &&
      question.settled.atMs >= earlier.begun.atMs - run.plan.policy.timeoutMs,
  );
}

/** True when the value of `earlier` must have been in its owner's memory when `later` began. */
function stillFresh(run: RunUnderCheck, earlier: FetchRecord, later: FetchRecord): boolean {
  const { history, plan } = run;
  const { ended, outcome } = earlier;
  if (outcome !== "value" || ended === undefined || ended.step > later.begun.step) return false;
  // Cancelled: no waiters were left, or it took too long.
  if (earlier.signalled !== undefined) return false;
  const freshMs = plan.policy.ttlMs * (1 - plan.policy.ttlJitter);
  if (later.begun.atMs >= ended.atMs + freshMs) return false;
  if (history.unrest.some((unrest) => unrest.from.step < later.begun.step)) return false;
  if (run.everInvalidated(earlier.key, later.begun.step)) return false;
  if (plan.policy.maxBytes < roomForAllBytes) return false;
  if (unreachableBetween(run, earlier, later)) return false;
  return true;
}
