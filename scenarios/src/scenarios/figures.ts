import type { Change } from "../node/node-control.ts";

/** The middle, the 99th of a hundred, and the longest. */
export function percentiles(durationsMs: readonly number[]): string {
  const inOrder = durationsMs.toSorted((one, other) => one - other);
  const at = (part: number): string =>
    (inOrder[Math.min(inOrder.length - 1, Math.floor(inOrder.length * part))] ?? 0).toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`;
}

export function durationsOf(changes: readonly Change[]): readonly number[] {
  return changes.map(({ tookMs }) => tookMs);
}
