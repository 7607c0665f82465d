import type { RunUnderCheck } from "./run-under-check.ts";

/**
 * I6: a node sends lookups for its own callers only, and lets a peer wait for its own fetches only. It
 * may answer with a value from a former owner, whose memory answers at once.
 */
export function checkNoForwarding(run: RunUnderCheck): void {
  const { questions, served, fetches } = run.history;
  for (const question of questions) {
    if (question.onBehalfOf > 0) continue;
    run.report(
      "I6",
      `${question.node} sent a lookup of ${question.key} at step ${question.begun.step} without a caller of its own`,
    );
  }
  for (const lookup of served) {
    const { settled, outcome } = lookup;
    const waited = settled !== undefined && settled.atMs > lookup.begun.atMs;
    if (waited && lookup.isLook) {
      run.report("I6", `${lookup.node} delayed a memory-only lookup of ${lookup.key}`);
    }
    if (!waited || outcome?.kind !== "value") continue;
    const fetch = fetches[outcome.fetch];
    if (fetch?.node === lookup.node) continue;
    if (run.inherited(lookup.node, outcome.fetch, settled.step)) continue;
    run.report(
      "I6",
      `${lookup.node} made a peer wait for ${lookup.key} and then answered with fetch ${outcome.fetch} of ${fetch?.node}`,
    );
  }
}
