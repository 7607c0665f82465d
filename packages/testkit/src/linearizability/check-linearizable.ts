import { ParsecError } from "@parsec/core";
import { explainViolation, type LinearizabilityViolation } from "./explain-violation.ts";
import { type LinearizabilityVerdict, searchLinearization } from "./linearization-search.ts";
import { type RegisterOperation, withoutFindings } from "./register-operation.ts";
import { createRegisterProblem } from "./register-problem.ts";

export interface LinearizabilityOptions {
  /**
   * How many points of the search to look at for one key before it is given up as undecided.
   * Defaults to 500,000, which takes seconds and some hundred megabytes. Histories of a dozen
   * clients need about as many points as operations.
   */
  readonly maxPointsPerKey?: number;
  /** How many keys to explain before the check ends early. Defaults to 3; the rest is not looked at then. */
  readonly maxViolations?: number;
}

/** What came of a history. */
export interface LinearizabilityReport {
  /** `violated` if any key is, else `undecided` if any key is. */
  readonly verdict: LinearizabilityVerdict;
  readonly violations: readonly LinearizabilityViolation[];
  /** Keys whose search was given up. */
  readonly undecidedKeys: readonly string[];
  readonly operationCount: number;
  readonly keyCount: number;
  /** Points of all searches together: what the check cost. */
  readonly pointCount: number;
}

/**
 * Whether each key behaved as one register would: every acknowledged operation took effect at one
 * moment between its start and its end, and every read saw the last write before it. Operations
 * without an answer may have taken effect at any time since their start, or never. Keys start empty.
 * Throws `INVALID_ARGUMENT` for an operation whose times make no sense.
 */
export function checkLinearizable(
  history: readonly RegisterOperation[],
  options: LinearizabilityOptions = {},
): LinearizabilityReport {
  const maxPoints = countOf("maxPointsPerKey", options.maxPointsPerKey ?? 500_000);
  const maxViolations = countOf("maxViolations", options.maxViolations ?? 3);
  const violations: LinearizabilityViolation[] = [];
  const undecidedKeys: string[] = [];
  const byKey = partitionByKey(history);
  let pointCount = 0;
  for (const [key, operations] of byKey) {
    let told = operations;
    let outcome = searchLinearization(createRegisterProblem(told), maxPoints);
    pointCount += outcome.pointCount;
    if (outcome.verdict === "undecided" && operations.some(saysFound)) {
      // What removals found makes for most of the orders, and is seldom what a violation hangs on.
      told = withoutFindings(operations);
      outcome = searchLinearization(createRegisterProblem(told), maxPoints);
      pointCount += outcome.pointCount;
      if (outcome.verdict === "linearizable") undecidedKeys.push(key);
    }
    if (outcome.verdict === "undecided") undecidedKeys.push(key);
    if (outcome.verdict !== "violated") continue;
    violations.push(explainViolation(key, { operations: told, maxPoints }));
    if (violations.length >= maxViolations) break;
  }
  return {
    verdict:
      violations.length > 0 ? "violated" : undecidedKeys.length > 0 ? "undecided" : "linearizable",
    violations,
    undecidedKeys,
    operationCount: history.length,
    keyCount: byKey.size,
    pointCount,
  };
}

function saysFound(operation: RegisterOperation): boolean {
  return operation.kind === "delete" && operation.found !== undefined;
}

function partitionByKey(history: readonly RegisterOperation[]): Map<string, RegisterOperation[]> {
  const byKey = new Map<string, RegisterOperation[]>();
  for (const [index, operation] of history.entries()) {
    checkTimes(operation, index);
    const operations = byKey.get(operation.key);
    if (operations === undefined) byKey.set(operation.key, [operation]);
    else operations.push(operation);
  }
  return byKey;
}

function checkTimes({ startedAt, endedAt }: RegisterOperation, index: number): void {
  const ends = endedAt === undefined || (Number.isFinite(endedAt) && endedAt >= startedAt);
  if (Number.isFinite(startedAt) && ends) return;
  throw new ParsecError(
    "INVALID_ARGUMENT",
    `operation ${index} runs from ${startedAt} to ${endedAt}: both must be finite, and it cannot end before it starts`,
  );
}

function countOf(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new ParsecError("INVALID_ARGUMENT", `${name} must be a whole number from 1, got ${value}`);
}
