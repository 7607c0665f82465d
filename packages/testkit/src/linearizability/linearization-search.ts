import { type PathMark, type RegisterChoice, RegisterPath } from "./register-path.ts";
import type { RegisterProblem } from "./register-problem.ts";

/** Result of the search of one key or of a whole history. `undecided`: the search reached its limit of points. */
export type LinearizabilityVerdict = "linearizable" | "violated" | "undecided";

export interface SearchOutcome {
  readonly verdict: LinearizabilityVerdict;
  /** Number of points that the search visited. */
  readonly pointCount: number;
}

interface Crossing {
  readonly mark: PathMark;
  readonly choices: readonly RegisterChoice[];
  nextChoice: number;
}

/**
 * Searches for an order that explains the operations of one register, with the algorithm of Wing and Gong.
 * Skips situations that were visited, as Lowe does (https://doi.org/10.1002/cpe.3928), and those that differ
 * only in using more of the writes without an answer.
 */
export function searchLinearization(problem: RegisterProblem, maxPoints: number): SearchOutcome {
  const path = new RegisterPath(problem);
  const seen = new Map<string, (readonly number[])[]>();
  const way: Crossing[] = [{ mark: path.mark(), choices: path.choices(), nextChoice: 0 }];
  let pointCount = 1;
  while (!path.isComplete) {
    const crossing = way.at(-1);
    if (crossing === undefined) return { verdict: "violated", pointCount };
    path.rewind(crossing.mark);
    const choice = crossing.choices[crossing.nextChoice++];
    if (choice === undefined) {
      way.pop();
      continue;
    }
    path.apply(choice);
    if (!isNew(path, seen)) continue;
    if (pointCount >= maxPoints) return { verdict: "undecided", pointCount };
    pointCount += 1;
    way.push({ mark: path.mark(), choices: path.choices(), nextChoice: 0 });
  }
  return { verdict: "linearizable", pointCount };
}

function isNew(path: RegisterPath, seen: Map<string, (readonly number[])[]>): boolean {
  const situation = path.situation();
  const sparesUsed = path.sparesUsed();
  const before = seen.get(situation);
  if (before === undefined) {
    seen.set(situation, [sparesUsed]);
    return true;
  }
  const isWorse = (other: readonly number[]): boolean =>
    other.every((used, index) => used <= (sparesUsed[index] ?? 0));
  if (before.some(isWorse)) return false;
  before.push(sparesUsed);
  return true;
}
