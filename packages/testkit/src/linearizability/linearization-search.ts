import { type PathMark, type RegisterChoice, RegisterPath } from "./register-path.ts";
import type { RegisterProblem } from "./register-problem.ts";

/** `undecided`: the search was given up before it had an answer. */
export type LinearizabilityVerdict = "linearizable" | "violated" | "undecided";

export interface SearchOutcome {
  readonly verdict: LinearizabilityVerdict;
  /** Points of the search that were looked at. */
  readonly pointCount: number;
}

interface Crossing {
  readonly mark: PathMark;
  readonly choices: readonly RegisterChoice[];
  nextChoice: number;
}

/**
 * Looks for an order in which the operations of one register make sense, after Wing and Gong, and
 * never looks at a situation twice, after Lowe (https://doi.org/10.1002/cpe.3928), nor at one that
 * differs only in that more of the writes without an answer are used up.
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
