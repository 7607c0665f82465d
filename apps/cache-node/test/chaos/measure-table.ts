import { type FaultMeasures, percentile } from "./fault-measures.ts";

const heads = [
  "fault",
  "times",
  "first read",
  "first write",
  "pause",
  "acknowledged",
  "failed",
] as const;

/** The measures in columns; times are p50 / p99 / max in milliseconds. */
export function renderMeasures(measures: readonly FaultMeasures[]): string {
  const rows = measures.map((one) => [
    one.name,
    String(one.times),
    ...[one.firstReadMs, one.firstWriteMs, one.pauseMs].map(renderTimes),
    String(one.acknowledged),
    String(one.failed),
  ]);
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [heads, ...rows]
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "))
    .map((line) => line.trimEnd())
    .join("\n");
}

function renderTimes(values: readonly number[]): string {
  if (values.length === 0) return "-";
  return [50, 99, 100].map((percent) => Math.round(percentile(values, percent))).join(" / ");
}
