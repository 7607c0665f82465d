import type { FetchRecord, GetRecord } from "../simulation-history.ts";
import type { RunUnderCheck } from "./run-under-check.ts";

/** I7: nothing is served past its time, and no copy past the end of its owner's entry. */
export function checkBoundedLifetime(run: RunUnderCheck): void {
  const ends = copyEnds(run);
  for (const get of run.history.gets) {
    if (get.outcome?.kind === "value") checkValue(run, get, ends);
    else if (get.outcome?.kind === "absent") checkAbsence(run, get);
  }
}

function checkValue(run: RunUnderCheck, get: GetRecord, ends: ReadonlyMap<number, number>): void {
  if (get.outcome?.kind !== "value") return;
  const fetch = run.history.fetches[get.outcome.fetch];
  if (fetch?.ended === undefined) {
    run.report(
      "I7",
      `${get.how} ${get.id} returned fetch ${get.outcome.fetch}, which has not ended`,
    );
    return;
  }
  const { ttlMs, staleWhileRevalidateMs, staleIfErrorMs } = run.plan.policy;
  const graceMs = get.how === "peek" ? 0 : Math.max(staleWhileRevalidateMs, staleIfErrorMs);
  const endMs = fetch.ended.atMs + ttlMs + graceMs + travelMs(run, get);
  if (get.begun.atMs > endMs) {
    run.report(
      "I7",
      `${get.how} ${get.id} of ${get.key} on ${get.node} at ${get.begun.atMs} ms returned fetch ${fetch.id}, whose time was over at ${endMs} ms`,
    );
  }
  const copyEndMs = ends.get(fetch.id);
  if (fromCopy(get, fetch) && (copyEndMs === undefined || get.begun.atMs > copyEndMs)) {
    run.report(
      "I7",
      `${get.how} ${get.id} of ${get.key} on ${get.node} at ${get.begun.atMs} ms was answered from a copy of fetch ${fetch.id}, whose owner's entry ended at ${copyEndMs} ms`,
    );
  }
}

/** True when the answer came from a copy in memory: at once, and long after the fetch of another node. */
function fromCopy(get: GetRecord, fetch: FetchRecord): boolean {
  const atOnce = get.settled?.atMs === get.begun.atMs;
  return atOnce && fetch.node !== get.node && (fetch.ended?.step ?? 0) < get.begun.step;
}

/** When the owner's entry of each fetch ends, as the owner said each time it gave a copy away. */
function copyEnds(run: RunUnderCheck): ReadonlyMap<number, number> {
  const ends = new Map<number, number>();
  for (const { settled, outcome, ttlMs } of run.history.served) {
    if (outcome?.kind !== "value" || settled === undefined || ttlMs === undefined) continue;
    const endMs = settled.atMs + ttlMs;
    ends.set(outcome.fetch, Math.max(endMs, ends.get(outcome.fetch) ?? 0));
  }
  return ends;
}

function checkAbsence(run: RunUnderCheck, get: GetRecord): void {
  const { negativeTtlMs } = run.plan.policy;
  const supported = run.history.fetches.some(
    (fetch) =>
      fetch.key === get.key &&
      fetch.outcome === "absent" &&
      (fetch.ended?.step ?? Infinity) < (get.settled?.step ?? 0) &&
      (fetch.ended?.atMs ?? 0) + negativeTtlMs + travelMs(run, get) >= get.begun.atMs,
  );
  if (supported) return;
  run.report(
    "I7",
    `get ${get.id} of ${get.key} on ${get.node} was told of an absence past its time`,
  );
}

/** A caller who joins a question that the owner has answered already gets an answer that is on its way. */
function travelMs(run: RunUnderCheck, get: GetRecord): number {
  const joined = run.history.questions.some(
    (question) =>
      question.node === get.node &&
      question.key === get.key &&
      question.begun.step < get.begun.step &&
      (question.settled?.step ?? Infinity) > get.begun.step,
  );
  return joined ? run.maxTravelMs : 0;
}
