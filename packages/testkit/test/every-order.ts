import type { RegisterOperation } from "../src/linearizability/register-operation.ts";

/**
 * Checks linearizability by its definition: tries every order of the operations of one key in which none
 * precedes another that had ended before it started. For tests of the search, with at most a dozen operations.
 */
export function isLinearizableByEveryOrder(operations: readonly RegisterOperation[]): boolean {
  const relevant = operations.filter(({ ok, endedAt }) => ok || endedAt === undefined);
  return canContinue(relevant, undefined);
}

function canContinue(open: readonly RegisterOperation[], state: string | undefined): boolean {
  if (open.every(({ endedAt }) => endedAt === undefined)) return true;
  const deadline = Math.min(...open.map(({ endedAt }) => endedAt ?? Number.POSITIVE_INFINITY));
  return open.some((operation, index) => {
    if (operation.startedAt > deadline) return false;
    const rest = open.toSpliced(index, 1);
    const isUnknown = operation.endedAt === undefined;
    switch (operation.kind) {
      case "get":
        return (isUnknown || operation.value === state) && canContinue(rest, state);
      case "set":
        return canContinue(rest, operation.value);
      case "delete": {
        const fits = isUnknown || operation.found === undefined;
        if (!fits && operation.found !== (state !== undefined)) return false;
        return canContinue(rest, undefined);
      }
      default:
        return false;
    }
  });
}
