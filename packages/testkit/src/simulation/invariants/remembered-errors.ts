import type { FetchRecord, GetRecord } from "../history/simulation-history.ts";
import { mayDetach, type RunUnderCheck } from "./run-under-check.ts";

/** Twice the default `maxErrorTtlMs` of core, for which it keeps an error while no probe runs. */
const longestMemoryMs = 10_000;

/** How long ago the fetch failed whose error core repeats meanwhile; undefined for the error of a fetch of its own. */
export function rememberedAgeMs(message: string): number | undefined {
  const ago = /the origin failed (\d+) ms ago/.exec(message)?.[1];
  return ago === undefined ? undefined : Number(ago);
}

/** I5 and I2: a repeated error is that of a fetch which failed at that moment, and which no invalidation has outdated. */
export function rememberedBehind(
  run: RunUnderCheck,
  get: GetRecord,
  error: { readonly message: string; readonly agoMs: number },
): boolean {
  const { message, agoMs } = error;
  if (agoMs > longestMemoryMs + run.plan.policy.timeoutMs) return false;
  const isOfAnyKey = message.includes("the origin is failing");
  const named = /fetch (\d+) failed/.exec(message)?.[1];
  return run.history.fetches.some((fetch) => {
    if (!isOfAnyKey && fetch.key !== get.key) return false;
    if (named !== undefined && fetch.id !== Number(named)) return false;
    const failedMs = failedAtMs(fetch);
    if (failedMs === undefined) return false;
    // The age is rounded, and the answer may have been sent before the caller joined the lookup.
    const fromMs = get.begun.atMs - (fetch.node === get.node ? 0 : run.maxTravelMs) - agoMs - 1;
    const toMs = (get.settled?.atMs ?? Infinity) - agoMs + 1;
    if (failedMs < fromMs || failedMs > toMs) return false;
    return isOfAnyKey || !outdated(run, fetch, get);
  });
}

function failedAtMs(fetch: FetchRecord): number | undefined {
  const hasFailed = fetch.outcome === "failed" || fetch.outcome === "nonsense";
  return (fetch.signalled ?? (hasFailed ? fetch.ended : undefined))?.atMs;
}

/** True when the fetching node had acknowledged an invalidation that began after the fetch and ended before the call. */
function outdated(run: RunUnderCheck, fetch: FetchRecord, get: GetRecord): boolean {
  return run.history.invalidations.some(
    ({ target, begun, settled, acknowledged }) =>
      mayDetach(target, get.key) &&
      fetch.begun.step < begun.step &&
      (settled?.step ?? Infinity) < get.begun.step &&
      acknowledged?.includes(fetch.node) === true,
  );
}
