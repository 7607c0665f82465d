import type { GetRecord, InvalidationRecord } from "../history/simulation-history.ts";
import { covers, type RunUnderCheck } from "./run-under-check.ts";

/** I2: no node serves a value older than an invalidation that it acknowledged; other nodes are in `failed` and catch up later. */
export function checkFreshAfterInvalidation(run: RunUnderCheck): void {
  const { gets, invalidations } = run.history;
  for (const invalidation of invalidations) {
    for (const id of invalidation.unnamed ?? []) {
      run.report(
        "I2",
        `invalidation ${invalidation.id} has ${id} neither in acknowledged nor in failed`,
      );
    }
  }
  for (const get of gets) {
    if (get.outcome === undefined || get.outcome.kind === "error") continue;
    for (const invalidation of invalidations) {
      if (!binds(run, invalidation, get)) continue;
      const stale = staleness(run, get, invalidation);
      if (stale === undefined) continue;
      run.report(
        "I2",
        `${get.how} ${get.id} of ${get.key} on ${get.node}, begun at step ${get.begun.step}, returned ${stale}, although invalidation ${invalidation.id}, begun at step ${invalidation.begun.step}, was acknowledged there by step ${invalidation.settled?.step}`,
      );
    }
  }
}

/**
 * True when the invalidation guarantees a fresh answer to the request. Tags and whole groups leave no
 * fences: a node that was not reached, or is not a member everywhere, may pass an old value on.
 */
function binds(run: RunUnderCheck, invalidation: InvalidationRecord, get: GetRecord): boolean {
  if (isLearned(run, invalidation, get)) return covers(invalidation.target, get.key);
  const { target } = invalidation;
  if (target.kind !== "keys") {
    if (invalidation.failed?.length !== 0) return false;
    if (!run.calm(invalidation.begun.atMs, get.settled?.atMs ?? get.begun.atMs)) return false;
  }
  const { settled, acknowledged } = invalidation;
  if (settled === undefined || settled.step > get.begun.step) return false;
  return acknowledged?.includes(get.node) === true && covers(target, get.key);
}

/**
 * True when the invalidation and its retries have reached all nodes: those of the node that made it, or of the
 * members to which it handed them when it left.
 */
function isLearned(run: RunUnderCheck, invalidation: InvalidationRecord, get: GetRecord): boolean {
  const { peace, deaths, departures, debtsLost } = run.history;
  if (peace === undefined || get.begun.step < peace.step) return false;
  const settledStep = invalidation.settled?.step ?? Infinity;
  if (deaths.has(invalidation.node)) {
    const departure = departures.get(invalidation.node);
    if (debtsLost || departure === undefined || settledStep >= departure.step) return false;
  }
  return invalidation.error === undefined && settledStep < peace.step;
}

/** Describes why the answer is stale; undefined when it is fresh. */
function staleness(
  run: RunUnderCheck,
  get: GetRecord,
  invalidation: InvalidationRecord,
): string | undefined {
  const { fetches } = run.history;
  if (get.outcome?.kind === "value") {
    const fetch = fetches[get.outcome.fetch];
    if (fetch === undefined) return "a value from no fetch";
    if (fetch.begun.step < invalidation.begun.step) {
      return `the value of fetch ${fetch.id} (begun at step ${fetch.begun.step} on ${fetch.node})`;
    }
    const version = invalidation.versions.get(get.key) ?? 1;
    return get.outcome.version < version
      ? `version ${get.outcome.version} < ${version}`
      : undefined;
  }
  // An absent value names no fetch: some later fetch must have found it absent.
  const supported = fetches.some(
    (fetch) =>
      fetch.key === get.key &&
      fetch.outcome === "absent" &&
      fetch.begun.step > invalidation.begun.step &&
      (fetch.ended?.step ?? Infinity) < (get.settled?.step ?? Infinity),
  );
  return supported ? undefined : "an absence that no later fetch found";
}
