import type { Change } from "../node/node-control.ts";

/** Formats the median, the 99th percentile and the maximum. */
export function percentiles(durationsMs: readonly number[]): string {
  const inOrder = durationsMs.toSorted((one, other) => one - other);
  const at = (part: number): string =>
    (inOrder[Math.min(inOrder.length - 1, Math.floor(inOrder.length * part))] ?? 0).toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`;
}

export function durationsOf(changes: readonly Change[]): readonly number[] {
  return changes.map(({ tookMs }) => tookMs);
}
