import { ParsecError } from "@parsec/core";
import { knownOptions } from "@parsec/core/authoring";
import { explainViolation, type LinearizabilityViolation } from "./explain-violation.ts";
import { type LinearizabilityVerdict, searchLinearization } from "./linearization-search.ts";
import { type RegisterOperation, withoutFindings } from "./register-operation.ts";
import { createRegisterProblem } from "./register-problem.ts";

/** Options of {@link checkLinearizable}. */
export interface LinearizabilityOptions {
  /**
   * Maximum number of points in the search of one key, after which the key is undecided. Defaults to
   * 500,000, which takes seconds and some hundred megabytes. Histories of a dozen clients need about as
   * many points as operations.
   */
  readonly maxPointsPerKey?: number;
  /** Number of violated keys after which the check stops and leaves other keys unchecked. Defaults to 3. */
  readonly maxViolations?: number;
}

/** Result of {@link checkLinearizable}. */
export interface LinearizabilityReport {
  /** `violated` if any key is violated, else `undecided` if any key is undecided. */
  readonly verdict: LinearizabilityVerdict;
  readonly violations: readonly LinearizabilityViolation[];
  /** Keys whose search reached `maxPointsPerKey`. */
  readonly undecidedKeys: readonly string[];
  readonly operationCount: number;
  readonly keyCount: number;
  /** Points of all searches, the cost of the check. */
  readonly pointCount: number;
}

/**
 * Checks whether each key behaved as a single register: every acknowledged operation took effect at one
 * moment between its start and its end, and every read returned the last write before it. Operations
 * without an answer took effect at any time after their start, or never. Keys start empty. Use it on
 * operations that clients recorded while nodes failed. Throws `INVALID_ARGUMENT` for an operation whose
 * times are not finite or not in order.
 */
export function checkLinearizable(
  history: readonly RegisterOperation[],
  options: LinearizabilityOptions = {},
): LinearizabilityReport {
  knownOptions("checkLinearizable", options, { maxPointsPerKey: 1, maxViolations: 1 });
  const maxPoints = countOf("maxPointsPerKey", options.maxPointsPerKey ?? 500_000);
  const maxViolations = countOf("maxViolations", options.maxViolations ?? 3);
  const violations: LinearizabilityViolation[] = [];
  const undecidedKeys: string[] = [];
  const byKey = partitionByKey(history);
  let pointCount = 0;
  for (const [key, operations] of byKey) {
    let considered = operations;
    let outcome = searchLinearization(createRegisterProblem(considered), maxPoints);
    pointCount += outcome.pointCount;
    if (outcome.verdict === "undecided" && operations.some(hasFinding)) {
      // The findings of removals cause most of the search, and a violation seldom depends on them.
      considered = withoutFindings(operations);
      outcome = searchLinearization(createRegisterProblem(considered), maxPoints);
      pointCount += outcome.pointCount;
      if (outcome.verdict === "linearizable") undecidedKeys.push(key);
    }
    if (outcome.verdict === "undecided") undecidedKeys.push(key);
    if (outcome.verdict !== "violated") continue;
    violations.push(explainViolation(key, { operations: considered, maxPoints }));
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

function hasFinding(operation: RegisterOperation): boolean {
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
    `startedAt and endedAt must be finite and in order, got ${startedAt} and ${endedAt} in operation ${index}`,
  );
}

function countOf(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new ParsecError("INVALID_ARGUMENT", `${name} must be a positive integer, got ${value}`);
}
