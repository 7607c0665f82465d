import type { Served } from "./programs/ring-node.ts";

/** One operation on one key, as its caller saw it. Each key has one writer, whose versions increase. */
export interface Operation {
  readonly kind: "put" | "get";
  readonly key: string;
  /** The value to be written, or that was read. */
  readonly version: number;
  readonly beganNs: bigint;
  readonly endedNs: bigint;
  /** Absent when the caller got an error, so that the outcome is unknown. */
  readonly served: Served | undefined;
}

/** Describes the violations of a history; empty when it is valid. */
export function findFaults(history: readonly Operation[]): string[] {
  return [...findLostWrites(history), ...findDoubleOwners(history)];
}

/** Finds reads that are older than a write acknowledged before, or than a read that ended before. */
function findLostWrites(history: readonly Operation[]): string[] {
  const faults: string[] = [];
  for (const [key, operations] of groupBy(history, ({ key }) => key)) {
    const byStart = [...operations].sort((left, right) => compare(left.beganNs, right.beganNs));
    const answered = operations
      .filter(({ served }) => served !== undefined)
      .sort((left, right) => compare(left.endedNs, right.endedNs));
    let seen = 0;
    let next = 0;
    let attempted = 0;
    const attempts = byStart.filter(({ kind }) => kind === "put");
    let nextAttempt = 0;
    for (const read of byStart) {
      while (
        next < answered.length &&
        compare((answered[next] as Operation).endedNs, read.beganNs) < 0
      ) {
        seen = Math.max(seen, (answered[next] as Operation).version);
        next++;
      }
      if (read.kind !== "get" || read.served === undefined) continue;
      while (
        nextAttempt < attempts.length &&
        compare((attempts[nextAttempt] as Operation).beganNs, read.endedNs) < 0
      ) {
        attempted = Math.max(attempted, (attempts[nextAttempt] as Operation).version);
        nextAttempt++;
      }
      if (read.version < seen) {
        faults.push(`${key}: read ${read.version} after ${seen} was known, at ${whoServed(read)}`);
      }
      if (read.version > attempted) faults.push(`${key}: read ${read.version}, never written`);
    }
  }
  return faults;
}

/** Finds answers of an owner after those of a later owner. */
function findDoubleOwners(history: readonly Operation[]): string[] {
  const faults: string[] = [];
  const served = history.flatMap(({ served }) => (served === undefined ? [] : [served]));
  for (const [place, answers] of groupBy(
    served,
    (each) => `${each.incarnation} ${each.partition}`,
  )) {
    answers.sort((left, right) => compare(BigInt(left.atNs), BigInt(right.atNs)));
    let newest = answers[0] as Served;
    for (const answer of answers) {
      if (answer.partEpoch < newest.partEpoch) {
        faults.push(
          `${place}: ${answer.node} served epoch ${answer.partEpoch} after ${newest.node} served ${newest.partEpoch}`,
        );
      } else if (answer.partEpoch === newest.partEpoch && answer.node !== newest.node) {
        faults.push(`${place}: ${answer.node} and ${newest.node} served epoch ${answer.partEpoch}`);
      }
      if (answer.partEpoch > newest.partEpoch) newest = answer;
    }
  }
  return faults;
}

function whoServed({ served }: Operation): string {
  return `${served?.node} under ${served?.partEpoch}`;
}

function groupBy<Item>(items: Iterable<Item>, keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

function compare(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
