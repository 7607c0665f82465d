import { affinity, leastBy } from "./rendezvous.ts";

/** A node with its weight and its current number of partitions. */
export interface ShareHolder {
  readonly id: string;
  readonly weight: number;
}

/**
 * The number of partitions, of `total`, for each node: proportional to its weight, rounded down, and one more for
 * as many nodes as are needed to place all. Nodes that have more already get the extra one first, so that fewer
 * partitions move.
 */
export function dueShares(
  total: number,
  options: {
    readonly holders: readonly ShareHolder[];
    readonly held: ReadonlyMap<string, number>;
  },
): Map<string, number> {
  const { held } = options;
  const holders = options.holders.filter(({ weight }) => weight > 0);
  const weights = holders.reduce((sum, { weight }) => sum + weight, 0);
  const due = new Map<string, number>();
  const fractions = new Map<string, number>();
  for (const { id, weight } of holders) {
    const exact = (total * weight) / weights;
    due.set(id, Math.floor(exact));
    fractions.set(id, exact - Math.floor(exact));
  }
  let left = total - [...due.values()].reduce((sum, share) => sum + share, 0);
  while (left > 0 && fractions.size > 0) {
    const id = leastBy(fractions.keys(), (candidate) => [
      -(fractions.get(candidate) ?? 0),
      (due.get(candidate) ?? 0) - (held.get(candidate) ?? 0),
      affinity(candidate, 0),
      candidate,
    ]) as string;
    fractions.delete(id);
    due.set(id, (due.get(id) ?? 0) + 1);
    left--;
  }
  return due;
}
