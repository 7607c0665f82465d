import type { RunUnderCheck } from "./run-under-check.ts";

/** I3: the charged bytes of a group never exceed `maxBytes`. */
export function checkBoundedBytes(run: RunUnderCheck): void {
  const { maxBytes } = run.plan.policy;
  for (const [node, bytes] of run.history.peakBytes) {
    if (bytes > maxBytes)
      run.report("I3", `${node} charged ${bytes} bytes, more than maxBytes of ${maxBytes}`);
  }
}
