import type { RunUnderCheck } from "./run-under-check.ts";

/** I4: an abort rejects its caller at once and nobody else; a load without waiters is told to stop. */
export function checkOwnAbort(run: RunUnderCheck): void {
  const { gets, abandonments } = run.history;
  for (const get of gets) {
    const code = get.outcome?.kind === "error" ? get.outcome.code : undefined;
    if (code === "ABORTED" && get.aborted === undefined) {
      run.report("I4", `get ${get.id} on ${get.node} was ABORTED though its caller waited`);
    }
    if (get.aborted === undefined) continue;
    if (get.settled?.atMs !== get.aborted.atMs) {
      run.report("I4", `get ${get.id} on ${get.node} outlived its abort at ${get.aborted.atMs} ms`);
    } else if (code !== "ABORTED" && get.begun.atMs !== get.aborted.atMs) {
      // What was in memory has been handed over before a caller can change its mind.
      run.report("I4", `get ${get.id} on ${get.node} was aborted, yet ended otherwise`);
    }
  }
  for (const { key, at, forgotten } of abandonments) {
    if (forgotten.length === 0) continue;
    run.report(
      "I4",
      `fetches ${forgotten.join()} of ${key} had not been told to stop at ${at.atMs} ms, though nobody waited`,
    );
  }
}
