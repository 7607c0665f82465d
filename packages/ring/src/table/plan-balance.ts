import type { LiveMember } from "./plan-survivors.ts";
import { affinity, compareKeys, type SortKeys } from "./rendezvous.ts";
import type { TablePart } from "./ring-table.ts";
import { dueShares } from "./shares.ts";

/** A partition that a node could take over, with its place in the order of preference. */
interface Movable {
  readonly number: number;
  readonly from: string | undefined;
  readonly keys: SortKeys;
}

/** The intended owner of each partition: shares are exact, and as few partitions move as possible. */
export function balance(
  parts: readonly TablePart[],
  live: ReadonlyMap<string, LiveMember>,
): readonly (string | undefined)[] {
  const takers = [...live.values()].filter(({ weight }) => weight > 0);
  /** True when a partition waits for its absent owner, and no other node may own it. */
  const isWaiting = ({ owner }: TablePart): boolean => owner !== undefined && !live.has(owner);
  const targets = parts.map((part) => part.next ?? part.owner);
  if (takers.length === 0) return targets;
  const held = new Map<string, number>();
  for (const [number, id] of targets.entries()) {
    if (id !== undefined && !isWaiting(parts[number] as TablePart)) {
      held.set(id, (held.get(id) ?? 0) + 1);
    }
  }
  const total = parts.filter((part) => !isWaiting(part)).length;
  const due = dueShares(total, { holders: takers, held });
  const surplusOf = (id: string | undefined): number =>
    id === undefined ? Number.POSITIVE_INFINITY : (held.get(id) ?? 0) - (due.get(id) ?? 0);

  /** Sorted once for each node that takes some: with many partitions, a search for each move takes seconds. */
  const movableTo = (taker: string): Movable[] => {
    const movable: Movable[] = [];
    for (const [number, part] of parts.entries()) {
      const from = targets[number];
      if (isWaiting(part) || surplusOf(from) <= 0) continue;
      const keys = [
        from === undefined ? 0 : 1,
        // Cancelling a planned move is cheapest, then a move to a node that has a copy.
        part.owner === taker ? 0 : 1,
        live.get(from ?? "")?.weight === 0 ? 0 : 1,
        part.recovery === "everyone" ? 0 : 1,
        part.next === undefined ? 1 : 0,
        part.backups.includes(taker) ? 0 : 1,
        -affinity(taker, number),
        number,
      ];
      movable.push({ number, from, keys });
    }
    return movable.sort((left, right) => compareKeys(left.keys, right.keys));
  };

  for (const { id: taker } of takers.sort((left, right) => (left.id < right.id ? -1 : 1))) {
    let missing = -surplusOf(taker);
    if (missing <= 0) continue;
    for (const { number, from } of movableTo(taker)) {
      if (missing <= 0) break;
      // It may have given enough away by now.
      if (surplusOf(from) <= 0) continue;
      targets[number] = taker;
      held.set(taker, (held.get(taker) ?? 0) + 1);
      if (from !== undefined) held.set(from, (held.get(from) ?? 0) - 1);
      missing--;
    }
  }
  return targets;
}
