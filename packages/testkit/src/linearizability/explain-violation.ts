import { searchLinearization } from "./linearization-search.ts";
import { drawTimeline } from "./operation-timeline.ts";
import { type RegisterOperation, withoutFindings } from "./register-operation.ts";
import { createRegisterProblem } from "./register-problem.ts";

/** A key that no single register can have been. */
export interface LinearizabilityViolation {
  readonly key: string;
  /** Operations that contradict each other already, all others left out; by their start. */
  readonly operations: readonly RegisterOperation[];
  /** The same for a person: one line for each operation, with a bar that shows what overlapped. */
  readonly text: string;
}

/**
 * Finds the fewest operations of a violated key that still contradict each other, and draws them.
 * All searches for them together look at about `maxPoints` points; what they found by then must do.
 */
export function explainViolation(
  key: string,
  { operations, maxPoints }: { operations: readonly RegisterOperation[]; maxPoints: number },
): LinearizabilityViolation {
  let pointsLeft = maxPoints;
  const isViolated = (tried: readonly RegisterOperation[]): boolean => {
    if (pointsLeft <= 0) return false;
    const outcome = searchLinearization(createRegisterProblem(tried), pointsLeft);
    pointsLeft -= outcome.pointCount + tried.length;
    return outcome.verdict === "violated";
  };

  let kept = shortestPrefix(forgetFindings(operations, isViolated), isViolated);
  for (let before = Number.POSITIVE_INFINITY; kept.length < before; ) {
    before = kept.length;
    kept = forgetFindings(kept, isViolated);
    kept = removeWhile(kept, { isViolated, mayRemove: ({ kind }) => kind === "get" });
    kept = removeWhile(kept, { isViolated, mayRemove: (one, rest) => isUnseen(one, rest) });
  }
  kept = kept.toSorted((one, other) => one.startedAt - other.startedAt);
  return { key, operations: kept, text: describe(key, { kept, all: operations }) };
}

/**
 * What was known at the earliest moment at which it was a violation already. Operations that were
 * under way then have no outcome yet.
 */
function shortestPrefix(
  operations: readonly RegisterOperation[],
  isViolated: (tried: readonly RegisterOperation[]) => boolean,
): readonly RegisterOperation[] {
  const ends = operations
    .flatMap(({ endedAt }) => endedAt ?? [])
    .toSorted((one, other) => one - other);
  const until = (at: number): RegisterOperation[] =>
    operations.flatMap((operation) => {
      if (operation.startedAt > at) return [];
      if (operation.endedAt === undefined || operation.endedAt <= at) return operation;
      if (operation.kind === "get" || !operation.ok) return [];
      return { ...operation, endedAt: undefined, ok: false };
    });
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isViolated(until(ends[middle] ?? 0))) high = middle;
    else low = middle + 1;
  }
  const prefix = until(ends[low] ?? 0);
  return isViolated(prefix) ? prefix : operations;
}

/** Leaves out as much of what may be removed as leaves a violation, in ever smaller pieces. */
function removeWhile(
  operations: readonly RegisterOperation[],
  {
    isViolated,
    mayRemove,
  }: {
    isViolated: (tried: readonly RegisterOperation[]) => boolean;
    mayRemove: (one: RegisterOperation, all: readonly RegisterOperation[]) => boolean;
  },
): readonly RegisterOperation[] {
  let kept = operations;
  const removable = operations.filter((one) => mayRemove(one, operations));
  for (let size = removable.length; size >= 1; size = Math.floor(size / 2)) {
    for (let start = 0; start < removable.length; start += size) {
      const piece = new Set(removable.slice(start, start + size));
      const rest = kept.filter((one) => !piece.has(one));
      if (rest.length < kept.length && isViolated(rest)) kept = rest;
    }
  }
  return kept;
}

/** What removals say about a value having been there is left out where nothing hangs on it. */
function forgetFindings(
  operations: readonly RegisterOperation[],
  isViolated: (tried: readonly RegisterOperation[]) => boolean,
): readonly RegisterOperation[] {
  let kept = operations;
  const findings = operations.filter((one) => one.kind === "delete" && one.found !== undefined);
  for (let size = findings.length; size >= 1; size = Math.floor(size / 2)) {
    for (let start = 0; start < findings.length; start += size) {
      const piece = new Set(findings.slice(start, start + size));
      if (!kept.some((one) => piece.has(one))) continue;
      const rest = withoutFindings(kept, piece);
      if (isViolated(rest)) kept = rest;
    }
  }
  return kept;
}

/**
 * A write whose absence could only make sense of more, so that what contradicts itself without it
 * does so with it, too: nobody saw the value, or the absence, that it left.
 */
function isUnseen(one: RegisterOperation, all: readonly RegisterOperation[]): boolean {
  if (one.kind === "get") return false;
  return !all.some((other) => {
    if (other === one) return false;
    if (other.kind === "delete") return other.found === (one.kind === "set");
    return other.kind === "get" && other.value === (one.kind === "set" ? one.value : undefined);
  });
}

function describe(
  key: string,
  { kept, all }: { kept: readonly RegisterOperation[]; all: readonly RegisterOperation[] },
): string {
  const count = kept.length === 1 ? "operation" : `${kept.length} operations`;
  return [
    `key ${JSON.stringify(key)}: no order explains the ${count} below (${all.length} on the key in all)`,
    ...drawTimeline(kept),
  ].join("\n");
}
