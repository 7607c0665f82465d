import { isDeepStrictEqual } from "node:util";
import { balance } from "./plan-balance.ts";
import { type LiveMember, type Survivors, withoutTheDead } from "./plan-survivors.ts";
import type { RingTable, TableMember, TablePart } from "./ring-table.ts";
import { isSamePart } from "./same-parts.ts";

export interface PlanOptions {
  readonly members: readonly LiveMember[];
  readonly awaited: ReadonlySet<string>;
  /** Partitions that a node may hand over, and may receive, at the same time. */
  readonly maxMoves: number;
}

/**
 * Plans the table for exactly these living members. Depends on nothing else, so that every node computes the same;
 * the writer increments the epoch. Returns the same object when nothing has to change.
 *
 * Owners stay where possible, shares are exact, and the number of moves is minimal.
 */
export function planTable(table: RingTable, options: PlanOptions): RingTable {
  const { awaited, maxMoves } = options;
  const live = new Map(options.members.map((member) => [member.id, member]));
  const surviving = withoutTheDead(table, { live, awaited });
  const targets = balance(surviving, live);
  const parts = withMoves(surviving, { targets, maxMoves });
  const members = membersOf(table, { live, awaited, parts });
  // Most parts are identical objects.
  const isSame =
    parts.every((part, number) => isSamePart(part, table.parts[number])) &&
    isDeepStrictEqual(members, table.members);
  return isSame ? table : { ...table, members, parts };
}

/** The living members, and those whose partitions wait for their return. */
function membersOf(
  table: RingTable,
  options: Survivors & { readonly parts: readonly TablePart[] },
): readonly TableMember[] {
  const { live, parts } = options;
  const named = new Set<string>();
  for (const { owner, backups } of parts) {
    if (owner !== undefined) named.add(owner);
    for (const backup of backups) named.add(backup);
  }
  const members: TableMember[] = [...live.values()].map(
    ({ id, session, address, zone, weight }) => {
      return { id, session, address, zone, weight, present: true };
    },
  );
  for (const member of table.members) {
    if (!live.has(member.id) && named.has(member.id)) members.push({ ...member, present: false });
  }
  return members.sort((left, right) => (left.id < right.id ? -1 : 1));
}

/** Makes the intended nodes owners where no node serves yet; elsewhere plans moves, a few at a time. */
function withMoves(
  parts: readonly TablePart[],
  options: { readonly targets: readonly (string | undefined)[]; readonly maxMoves: number },
): readonly TablePart[] {
  const { targets, maxMoves } = options;
  const gives = new Map<string, number>();
  const takes = new Map<string, number>();
  const begin = (from: string, to: string): void => {
    gives.set(from, (gives.get(from) ?? 0) + 1);
    takes.set(to, (takes.get(to) ?? 0) + 1);
  };
  for (const [number, { owner, next }] of parts.entries()) {
    if (owner !== undefined && next !== undefined && next === targets[number]) begin(owner, next);
  }
  return parts.map((part, number) => {
    const target = targets[number];
    const { owner, next } = part;
    if (target === undefined || target === owner) {
      return next === undefined ? part : { ...part, next: undefined };
    }
    if (owner === undefined || part.recovery === "everyone") {
      const epoch = part.epoch + 1;
      const backups = part.backups.filter((id) => id !== target);
      return { ...part, owner: target, backups, epoch, next: undefined };
    }
    if (next === target) return part;
    const busy = (gives.get(owner) ?? 0) >= maxMoves || (takes.get(target) ?? 0) >= maxMoves;
    if (busy) return next === undefined ? part : { ...part, next: undefined };
    begin(owner, target);
    return { ...part, next: target };
  });
}
