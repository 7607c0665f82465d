import type { FetchRecord, GetRecord } from "../history/simulation-history.ts";
import type { RunUnderCheck } from "./run-under-check.ts";

/** Tolerance for sums of fractional times. */
const roundingMs = 0.001;

/** I7: no value is served after its ttl, and no copy after the end of its owner's entry. */
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
      `${get.how} ${get.id} of ${get.key} on ${get.node} at ${get.begun.atMs} ms returned fetch ${fetch.id}, which expired at ${endMs} ms`,
    );
  }
  // An owner may serve a stale value, even of another node's fetch; a copy is never served stale.
  const ownMs = run.inherited(get.node, fetch.id, get.settled?.step ?? 0) ? graceMs : 0;
  const copyEndMs = ends.get(fetch.id);
  if (
    fromCopy(run, get, fetch) &&
    (copyEndMs === undefined || get.begun.atMs > copyEndMs + ownMs)
  ) {
    run.report(
      "I7",
      `${get.how} ${get.id} of ${get.key} on ${get.node} at ${get.begun.atMs} ms was answered from a copy of fetch ${fetch.id}, whose owner's entry ended at ${copyEndMs} ms`,
    );
  }
}

/** True when the answer came from a copy in memory: at once, of another node's completed fetch, without a lookup. */
function fromCopy(run: RunUnderCheck, get: GetRecord, fetch: FetchRecord): boolean {
  const atOnce = get.settled?.atMs === get.begun.atMs;
  if (!atOnce || fetch.node === get.node || (fetch.ended?.step ?? 0) >= get.begun.step)
    return false;
  const { step: from } = get.begun;
  const to = get.settled?.step ?? 0;
  return !run.history.questions.some(
    ({ node, key, settled }) =>
      node === get.node &&
      key === get.key &&
      settled !== undefined &&
      settled.step > from &&
      settled.step < to,
  );
}

/** The end of a value's ttl, as a node sent it along with the value. */
interface Declaration {
  readonly node: string;
  readonly step: number;
  readonly fetch: number;
  readonly endMs: number;
}

/**
 * The end of the entry of each fetch, as sent by the node that fetched it. A node that passes the value
 * on, as its owner or fallback owner, must not extend it.
 */
function copyEnds(run: RunUnderCheck): ReadonlyMap<number, number> {
  const ends = new Map<number, number>();
  for (const { node, fetch, endMs } of declarations(run)) {
    const knownMs = ends.get(fetch) ?? 0;
    if (node === run.history.fetches[fetch]?.node) ends.set(fetch, Math.max(endMs, knownMs));
    else if (endMs > knownMs + roundingMs) {
      run.report(
        "I7",
        `${node} sent fetch ${fetch} with an end at ${endMs} ms, although its owner's entry ended at ${knownMs} ms`,
      );
    }
  }
  return ends;
}

function declarations({ history }: RunUnderCheck): Declaration[] {
  const all: Declaration[] = [];
  for (const { node, settled, outcome, ttlMs = 0 } of history.served) {
    // A value that must not be cached has no end.
    if (outcome?.kind !== "value" || settled === undefined || ttlMs === 0) continue;
    const { step, atMs } = settled;
    all.push({ node, step, fetch: outcome.fetch, endMs: atMs + ttlMs });
  }
  for (const { node, at, outcome, endMs } of history.given) {
    if (outcome.kind === "value") all.push({ node, step: at.step, fetch: outcome.fetch, endMs });
  }
  return all.sort((one, other) => one.step - other.step);
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
    `get ${get.id} of ${get.key} on ${get.node} returned an absence after its negative ttl`,
  );
}

/** A caller that joins a lookup whose answer has been sent already gets an older value. */
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
