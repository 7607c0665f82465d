import type { RegisterOperation } from "../src/linearizability/register-operation.ts";

/**
 * The definition, tried out: takes the operations of one key in every order in which no one comes
 * before another that had ended when it started. For tests of the search; a dozen operations at most.
 */
export function isLinearizableByEveryOrder(operations: readonly RegisterOperation[]): boolean {
  const told = operations.filter(({ ok, endedAt }) => ok || endedAt === undefined);
  return canContinue(told, undefined);
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
