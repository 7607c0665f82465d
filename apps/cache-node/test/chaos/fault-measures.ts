import type { RegisterOperation } from "@parsec/testkit";
import type { FaultName } from "./faults.ts";
import type { PlacedKey } from "./placed-key.ts";
import type { ServiceNote } from "./service-note.ts";

/** A fault that was done and mended, by the clock that all processes share. */
export interface FaultRecord {
  readonly name: FaultName;
  /** Keys of the nodes it was done to, which were asked for all the while. */
  readonly watched: readonly PlacedKey[];
  readonly struckAtMs: number;
  readonly mendedAtMs: number;
  readonly restedAtMs: number;
  /** Until when pauses count: until the rest, unless the fault was over before what it was done to came back. */
  readonly relentedAtMs: number;
}

/** What clients felt of all faults of one kind. */
export interface FaultMeasures {
  readonly name: FaultName;
  readonly times: number;
  /** For each watched key: from the fault to the first answer to a read, or a write, that began after it. */
  readonly firstReadMs: readonly number[];
  readonly firstWriteMs: readonly number[];
  /** For each watched key: the longest time in which no owner of its partition answered anybody. */
  readonly pauseMs: readonly number[];
  /** Operations that began between the fault and the rest after it. */
  readonly acknowledged: number;
  readonly failed: number;
}

/** One for each kind, in the order in which they came first. */
export function measureFaults(
  records: readonly FaultRecord[],
  seen: { readonly history: readonly RegisterOperation[]; readonly notes: readonly ServiceNote[] },
): FaultMeasures[] {
  const answersOf = new Map<number, number[]>();
  for (const { partition, atMs } of [...seen.notes].sort((one, other) => one.atMs - other.atMs)) {
    const answers = answersOf.get(partition) ?? [];
    answers.push(atMs);
    answersOf.set(partition, answers);
  }
  const names = [...new Set(records.map(({ name }) => name))];
  return names.map((name) => {
    const each = records
      .filter((record) => record.name === name)
      .map((record) => ({
        ...measureOperations(record, seen.history),
        pauseMs: record.watched.map(({ partition }) =>
          longestPauseMs(record, answersOf.get(partition) ?? []),
        ),
      }));
    const sum = (count: (one: (typeof each)[number]) => number): number =>
      each.reduce((total, one) => total + count(one), 0);
    return {
      name,
      times: each.length,
      firstReadMs: each.flatMap(({ firstReadMs }) => firstReadMs),
      firstWriteMs: each.flatMap(({ firstWriteMs }) => firstWriteMs),
      pauseMs: each.flatMap(({ pauseMs }) => pauseMs),
      acknowledged: sum(({ acknowledged }) => acknowledged),
      failed: sum(({ failed }) => failed),
    };
  });
}

/** The smallest value that so many percent of all are not above; NaN when there is none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}

function measureOperations(
  { watched, struckAtMs, restedAtMs }: FaultRecord,
  history: readonly RegisterOperation[],
): Pick<FaultMeasures, "firstReadMs" | "firstWriteMs" | "acknowledged" | "failed"> {
  const during = history.filter(
    ({ startedAt }) => startedAt >= struckAtMs && startedAt < restedAtMs,
  );
  const acknowledged = during.filter(({ ok }) => ok);
  const firstMs = (isWanted: (kind: RegisterOperation["kind"]) => boolean): number[] =>
    watched.flatMap(({ key }) => {
      const ends = acknowledged
        .filter((one) => one.key === key && isWanted(one.kind))
        .map(({ endedAt = Number.POSITIVE_INFINITY }) => endedAt);
      return ends.length === 0 ? [] : [Math.min(...ends) - struckAtMs];
    });
  return {
    firstReadMs: firstMs((kind) => kind === "get"),
    firstWriteMs: firstMs((kind) => kind !== "get"),
    acknowledged: acknowledged.length,
    failed: during.length - acknowledged.length,
  };
}

/** Of answers in the order of their times: the longest time without one from the fault on. */
function longestPauseMs(
  { struckAtMs, relentedAtMs }: FaultRecord,
  answers: readonly number[],
): number {
  const during = answers.filter((atMs) => atMs > struckAtMs && atMs < relentedAtMs);
  const moments = [struckAtMs, ...during, relentedAtMs];
  return Math.max(...moments.slice(1).map((atMs, index) => atMs - (moments[index] ?? atMs)));
}
