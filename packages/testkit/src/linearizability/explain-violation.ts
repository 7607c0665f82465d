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

/** Tries whether some of the operations contradict each other, for as long as it may. */
interface Trial {
  isViolated(tried: readonly RegisterOperation[]): boolean;
  readonly isSpent: boolean;
}

/**
 * Finds the fewest operations of a violated key that still contradict each other, and draws them.
 * All searches for them together look at about `maxPoints` points; what they found by then must do.
 */
export function explainViolation(
  key: string,
  { operations, maxPoints }: { operations: readonly RegisterOperation[]; maxPoints: number },
): LinearizabilityViolation {
  const trial = createTrial(maxPoints);
  let kept = shortestPrefix(forgetFindings(operations, trial), trial);
  for (let before = Number.POSITIVE_INFINITY; kept.length < before; ) {
    before = kept.length;
    kept = forgetFindings(kept, trial);
    kept = removeSome(kept, { trial, mayRemove: isRead });
    kept = removeSome(kept, { trial, mayRemove: isUnseen });
  }
  kept = kept.toSorted((one, other) => one.startedAt - other.startedAt);
  return { key, operations: kept, text: describe(key, { kept, all: operations }) };
}

function createTrial(maxPoints: number): Trial {
  let pointsLeft = maxPoints;
  return {
    isViolated(tried) {
      if (pointsLeft <= 0) return false;
      const outcome = searchLinearization(createRegisterProblem(tried), pointsLeft);
      pointsLeft -= outcome.pointCount + tried.length;
      return outcome.verdict === "violated";
    },
    get isSpent() {
      return pointsLeft <= 0;
    },
  };
}

/**
 * What was known at the earliest moment at which it was a violation already. Operations that were
 * under way then have no outcome yet.
 */
function shortestPrefix(
  operations: readonly RegisterOperation[],
  trial: Trial,
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
    if (trial.isViolated(until(ends[middle] ?? 0))) high = middle;
    else low = middle + 1;
  }
  const prefix = until(ends[low] ?? 0);
  return trial.isViolated(prefix) ? prefix : operations;
}

/** Leaves out as much of what may be removed as leaves a violation, in ever smaller pieces. */
function removeSome(
  operations: readonly RegisterOperation[],
  {
    trial,
    mayRemove,
  }: {
    trial: Trial;
    mayRemove: (one: RegisterOperation, rest: readonly RegisterOperation[]) => boolean;
  },
): readonly RegisterOperation[] {
  let kept = operations;
  for (let size = operations.length; size >= 1; size = Math.floor(size / 2)) {
    for (let start = 0; start < operations.length && !trial.isSpent; start += size) {
      const rest = withoutPiece(kept, {
        piece: new Set(operations.slice(start, start + size)),
        mayRemove,
      });
      if (rest.length < kept.length && trial.isViolated(rest)) kept = rest;
    }
  }
  return kept;
}

/** All but the piece, of which those stay that must not be removed from what is left then. */
function withoutPiece(
  operations: readonly RegisterOperation[],
  {
    piece,
    mayRemove,
  }: {
    piece: Set<RegisterOperation>;
    mayRemove: (one: RegisterOperation, rest: readonly RegisterOperation[]) => boolean;
  },
): readonly RegisterOperation[] {
  for (;;) {
    const rest = operations.filter((one) => !piece.has(one));
    const spared = operations.filter((one) => piece.has(one) && !mayRemove(one, rest));
    if (spared.length === 0) return rest;
    for (const one of spared) piece.delete(one);
  }
}

/** What removals say about a value having been there is left out where nothing hangs on it. */
function forgetFindings(
  operations: readonly RegisterOperation[],
  trial: Trial,
): readonly RegisterOperation[] {
  let kept = operations;
  const findings = operations.filter((one) => one.kind === "delete" && one.found !== undefined);
  for (let size = findings.length; size >= 1; size = Math.floor(size / 2)) {
    for (let start = 0; start < findings.length; start += size) {
      const piece = new Set(findings.slice(start, start + size));
      if (!kept.some((one) => piece.has(one))) continue;
      const rest = withoutFindings(kept, piece);
      if (trial.isViolated(rest)) kept = rest;
    }
  }
  return kept;
}

function isRead({ kind }: RegisterOperation): boolean {
  return kind === "get";
}

/**
 * A write whose absence could only make sense of more, so that what contradicts itself without it does so
 * with it, too: nobody among the rest saw the value that it left, or can have seen the absence.
 */
function isUnseen(one: RegisterOperation, rest: readonly RegisterOperation[]): boolean {
  if (one.kind === "get") return false;
  const isHiddenFrom = (other: RegisterOperation): boolean =>
    precedes(other, one) ||
    rest.some((hiding) => isWrite(hiding) && precedes(one, hiding) && precedes(hiding, other));
  // A value that was read keeps its writer, hidden or not: without it, it would seem made up.
  return rest.every(
    (other) => !couldSee(other, one) || (one.kind === "delete" && isHiddenFrom(other)),
  );
}

/** Whether `one` says that it found what `write` leaves. */
function couldSee(one: RegisterOperation, write: RegisterOperation): boolean {
  if (one.kind === "set") return false;
  if (one.kind === "delete") return one.found === (write.kind === "set");
  return one.value === (write.kind === "set" ? write.value : undefined);
}

function isWrite(one: RegisterOperation): boolean {
  if (one.kind === "get" || !one.ok || one.endedAt === undefined) return false;
  return one.kind === "set" || one.found !== false;
}

function precedes(one: RegisterOperation, other: RegisterOperation): boolean {
  return one.endedAt !== undefined && one.endedAt < other.startedAt;
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
