import type { RunUnderCheck } from "./run-under-check.ts";

/** I4: an abort rejects its caller at once and no other; a load without waiters is cancelled. */
export function checkOwnAbort(run: RunUnderCheck): void {
  const { gets, abandonments } = run.history;
  for (const get of gets) {
    const code = get.outcome?.kind === "error" ? get.outcome.code : undefined;
    if (code === "ABORTED" && get.aborted === undefined) {
      run.report(
        "I4",
        `get ${get.id} on ${get.node} rejected with ABORTED without an abort of its caller`,
      );
    }
    if (get.aborted === undefined) continue;
    if (get.settled?.atMs !== get.aborted.atMs) {
      run.report(
        "I4",
        `get ${get.id} on ${get.node} did not end at its abort at ${get.aborted.atMs} ms`,
      );
    } else if (code !== "ABORTED" && get.begun.atMs !== get.aborted.atMs) {
      // A value in memory is returned before a caller can abort.
      run.report("I4", `get ${get.id} on ${get.node} was aborted and did not reject with ABORTED`);
    }
  }
  for (const { key, at, forgotten } of abandonments) {
    if (forgotten.length === 0) continue;
    run.report(
      "I4",
      `fetches ${forgotten.join()} of ${key} were not cancelled by ${at.atMs} ms, although no waiters were left`,
    );
  }
}
