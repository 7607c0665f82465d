import type { FetchRecord, GetRecord } from "../history/simulation-history.ts";
import { rememberedAgeMs, rememberedBehind } from "./remembered-errors.ts";
import { mayDetach, type RunUnderCheck } from "./run-under-check.ts";

/** I5: every waiter gets the same typed error, and none repeats the load. */
export function checkHonestErrors(run: RunUnderCheck): void {
  const { history } = run;
  for (const get of history.gets) {
    if (history.deaths.has(get.node) || get.outcome === undefined) continue;
    if (get.outcome.kind === "error") checkError(run, get);
    else if (get.outcome.kind === "absent") checkAbsence(run, get);
  }
  for (const fetch of history.fetches) checkSharedEnding(run, fetch);
}

function checkError(run: RunUnderCheck, get: GetRecord): void {
  if (get.outcome?.kind !== "error") return;
  const { code, message } = get.outcome;
  const reportError = (text: string): void =>
    run.report(
      "I5",
      `get ${get.id} of ${get.key} on ${get.node} got ${code} (${message}): ${text}`,
    );
  const agoMs = rememberedAgeMs(message);
  if (agoMs !== undefined) {
    if (!rememberedBehind(run, get, { message, agoMs })) reportError("not left by a failed fetch");
    return;
  }
  switch (code) {
    case "ABORTED":
      return;
    case "ORIGIN_FAILED":
    case "CODEC_FAILED":
      if (!failureBehind(run, get, message)) reportError("without a failed fetch");
      return;
    case "PEER_UNREACHABLE":
      if (run.plan.policy.onPeerFailure === "load") reportError("although onPeerFailure is load");
      else if (!unreachableBehind(run, get)) reportError("although its owner was reachable");
      return;
    case "TIMEOUT":
      if (!slownessBehind(run, get)) reportError("without a slow fetch");
      return;
    default:
      reportError("a code that no simulation can cause");
  }
}

/** True when a fetch failed while the caller waited: the one in the message, if it names one. */
function failureBehind(run: RunUnderCheck, get: GetRecord, message: string): boolean {
  const named = /fetch (\d+) failed/.exec(message)?.[1];
  return run.history.fetches.some(
    (fetch) =>
      fetch.key === get.key &&
      (named === undefined ? fetch.outcome === "nonsense" : fetch.id === Number(named)) &&
      (fetch.outcome === "failed" || fetch.outcome === "nonsense") &&
      fetch.ended !== undefined &&
      fetch.ended.atMs + travelMs(run, fetch, get) >= get.begun.atMs,
  );
}

/** The answer may have been sent before the caller joined the lookup. */
function travelMs(run: RunUnderCheck, fetch: FetchRecord, get: GetRecord): number {
  return fetch.node === get.node ? 0 : run.maxTravelMs;
}

function unreachableBehind(run: RunUnderCheck, get: GetRecord): boolean {
  return run.history.questions.some(
    (question) =>
      question.node === get.node &&
      question.key === get.key &&
      question.code === "PEER_UNREACHABLE" &&
      (question.settled?.step ?? 0) > get.begun.step,
  );
}

/** On a reliable network only a slow fetch may cause a timeout. */
function slownessBehind(run: RunUnderCheck, get: GetRecord): boolean {
  const { plan, history } = run;
  const settledMs = get.settled?.atMs ?? 0;
  if (!run.reliable || !run.calm(get.begun.atMs, settledMs)) return true;
  const lookMs = longestLookMs(run, get);
  const longMs = plan.policy.timeoutMs - 2 * plan.network.maxDelayMs - lookMs;
  if (longMs <= 0) return true;
  return history.fetches.some(
    (fetch) =>
      fetch.key === get.key &&
      Math.min(fetch.ended?.atMs ?? Infinity, settledMs) - fetch.begun.atMs >= longMs,
  );
}

/** Longest memory-only lookup of the key, which shortens the time for the fetch of this caller or of one that it joined. */
function longestLookMs({ history, plan }: RunUnderCheck, get: GetRecord): number {
  const fromMs = get.begun.atMs - plan.policy.timeoutMs;
  const toMs = get.settled?.atMs ?? 0;
  let longestMs = 0;
  for (const { key, begun, settled } of history.looks) {
    const endMs = settled?.atMs ?? toMs;
    if (key !== get.key || endMs < fromMs || begun.atMs > toMs) continue;
    longestMs = Math.max(longestMs, endMs - begun.atMs);
  }
  return longestMs;
}

function checkAbsence(run: RunUnderCheck, get: GetRecord): void {
  const found = run.history.fetches.some(
    (fetch) =>
      fetch.key === get.key &&
      fetch.outcome === "absent" &&
      (fetch.ended?.step ?? Infinity) < (get.settled?.step ?? 0),
  );
  if (!found)
    run.report(
      "I5",
      `get ${get.id} of ${get.key} on ${get.node} returned an absence that no fetch found`,
    );
}

/** Callers that waited on the owner when its fetch ended must end with it. */
function checkSharedEnding(run: RunUnderCheck, fetch: FetchRecord): void {
  const { history } = run;
  const { ended } = fetch;
  if (ended === undefined || fetch.signalled !== undefined || fetch.key === "") return;
  if (history.deaths.has(fetch.node) || !run.calm(fetch.begun.atMs, ended.atMs)) return;
  if (fallback(run, fetch)) return;
  for (const get of history.gets) {
    const waited =
      get.node === fetch.node &&
      get.key === fetch.key &&
      get.how === "get" &&
      get.begun.step < ended.step &&
      (get.settled?.step ?? Infinity) > ended.step;
    if (!waited || fenced(run, fetch, get)) continue;
    if (get.settled?.atMs !== ended.atMs) {
      run.report("I5", `get ${get.id} on ${get.node} waited on after fetch ${fetch.id} had ended`);
    }
  }
}

/** True for a fetch that may replace an unreachable owner, for which callers of its node may wait. */
function fallback(run: RunUnderCheck, fetch: FetchRecord): boolean {
  return run.history.questions.some(
    (question) => question.node === fetch.node && question.key === fetch.key,
  );
}

/** True when an invalidation separates the fetch from the caller, which then waits for another fetch. */
function fenced(run: RunUnderCheck, fetch: FetchRecord, get: GetRecord): boolean {
  const endMs = fetch.ended?.atMs ?? Infinity;
  const { maxDelayMs, maxLateMs } = run.plan.network;
  if (run.history.unrest.length > 0 && run.everInvalidated(get.key, fetch.ended?.step ?? Infinity))
    return true;
  return run.history.invalidations.some((invalidation) => {
    const touches = mayDetach(invalidation.target, get.key);
    const overMs =
      (invalidation.settled?.atMs ?? Infinity) + maxDelayMs + maxLateMs + run.plan.policy.timeoutMs;
    const failed = (invalidation.failed?.length ?? 1) > 0;
    return touches && invalidation.begun.atMs <= endMs && (failed || overMs >= fetch.begun.atMs);
  });
}
