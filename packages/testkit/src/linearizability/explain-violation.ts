import { searchLinearization } from "./linearization-search.ts";
import { drawTimeline } from "./operation-timeline.ts";
import { type RegisterOperation, withoutFindings } from "./register-operation.ts";
import { createRegisterProblem } from "./register-problem.ts";

/** A key whose operations no single register explains. */
export interface LinearizabilityViolation {
  readonly key: string;
  /** A small set of operations that contradict each other, sorted by their start. */
  readonly operations: readonly RegisterOperation[];
  /** The operations as text: one line each, with a bar that shows overlaps. */
  readonly text: string;
}

/** Checks subsets of the operations for contradictions, within a limited number of points. */
interface Trial {
  isViolated(tried: readonly RegisterOperation[]): boolean;
  readonly isSpent: boolean;
}

/**
 * Reduces the operations of a violated key to a small set that still contradict each other, and draws
 * them. The reduction ends after about `maxPoints` points of search.
 */
export function explainViolation(
  key: string,
  { operations, maxPoints }: { operations: readonly RegisterOperation[]; maxPoints: number },
): LinearizabilityViolation {
  const trial = createTrial(maxPoints);
  let kept = shortestPrefix(dropFindings(operations, trial), trial);
  for (let before = Number.POSITIVE_INFINITY; kept.length < before; ) {
    before = kept.length;
    kept = dropFindings(kept, trial);
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
 * The operations as they were at the earliest moment of a violation. Operations in flight at that moment
 * have no outcome.
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

/** Removes operations in pieces of decreasing size, as long as the rest is a violation. */
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

/** The operations without the piece; operations of the piece that must not be removed from the rest are kept. */
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

/** Drops the findings of removals on which the violation does not depend. */
function dropFindings(
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
 * True for a write that may be removed, because a contradiction without it is also one with it: no other
 * operation read the value that it left, or can have read that the value was absent.
 */
function isUnseen(one: RegisterOperation, rest: readonly RegisterOperation[]): boolean {
  if (one.kind === "get") return false;
  const isHiddenFrom = (other: RegisterOperation): boolean =>
    precedes(other, one) ||
    rest.some((hiding) => isWrite(hiding) && precedes(one, hiding) && precedes(hiding, other));
  // The writer of a value that was read must stay, or the read itself would be a contradiction.
  return rest.every(
    (other) => !couldSee(other, one) || (one.kind === "delete" && isHiddenFrom(other)),
  );
}

/** Whether the answer of `one` is the state that `write` leaves. */
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
