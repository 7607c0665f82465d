import type { GetRecord, InvalidationRecord } from "../history/simulation-history.ts";
import { covers, type RunUnderCheck } from "./run-under-check.ts";

/** I2: nothing older than an acknowledged invalidation is served; whoever was not told is named, and learns it later. */
export function checkFreshAfterInvalidation(run: RunUnderCheck): void {
  const { gets, invalidations } = run.history;
  for (const invalidation of invalidations) {
    for (const id of invalidation.unnamed ?? []) {
      run.report("I2", `invalidation ${invalidation.id} neither reached nor named ${id}`);
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
 * True when the invalidation promises something to the request. Tags and whole groups leave no
 * fences: a node that was not told, or that some do not list, may hand its old value on.
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

/** True when the node that invalidated has had the time to tell everybody, and everybody else. */
function isLearned(run: RunUnderCheck, invalidation: InvalidationRecord, get: GetRecord): boolean {
  const { peace, deaths } = run.history;
  if (peace === undefined || get.begun.step < peace.step || deaths.has(invalidation.node))
    return false;
  return invalidation.error === undefined && (invalidation.settled?.step ?? Infinity) < peace.step;
}

/** What is too old about the answer; undefined when nothing is. */
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
  // "There is none" names no fetch: some fetch since must have said so.
  const supported = fetches.some(
    (fetch) =>
      fetch.key === get.key &&
      fetch.outcome === "absent" &&
      fetch.begun.step > invalidation.begun.step &&
      (fetch.ended?.step ?? Infinity) < (get.settled?.step ?? Infinity),
  );
  return supported ? undefined : "an absence that no fetch has found since";
}
