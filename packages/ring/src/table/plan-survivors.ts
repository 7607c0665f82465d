import { affinity, leastBy } from "./rendezvous.ts";
import type { RingTable, TablePart } from "./ring-table.ts";

/** A member that gives signs of life. */
export interface LiveMember {
  readonly id: string;
  readonly session: string;
  readonly address: string;
  readonly zone: string;
  readonly weight: number;
  /** Whether what it held outlives its process, so that it has it again after a restart. */
  readonly durable: boolean;
}

export interface Survivors {
  readonly live: ReadonlyMap<string, LiveMember>;
  /** Members that died, and whose partitions wait for their return when there is no other copy. */
  readonly awaited: ReadonlySet<string>;
}

/**
 * What becomes of the parts when some of their holders are gone: a backup takes over; else whoever comes
 * back with what it held; else somebody who begins with nothing.
 */
export function withoutTheDead(table: RingTable, survivors: Survivors): TablePart[] {
  const { live, awaited } = survivors;
  const sessions = new Map(table.members.map(({ id, session }) => [id, session]));
  const isUp = (id: string): boolean => live.get(id)?.session === sessions.get(id);
  /** Has what it held: it never went away, or it keeps it through a restart. */
  const holds = (id: string): boolean => isUp(id) || live.get(id)?.durable === true;
  const loads = new Map<string, number>();
  const count = (id: string): void => void loads.set(id, (loads.get(id) ?? 0) + 1);
  for (const { owner } of table.parts) if (owner !== undefined && isUp(owner)) count(owner);

  const least = (ids: Iterable<string>, number: number): string | undefined =>
    leastBy(ids, (id) => [
      live.get(id)?.weight === 0 ? 1 : 0,
      (loads.get(id) ?? 0) / (live.get(id)?.weight || 1),
      -affinity(id, number),
      id,
    ]);

  return table.parts.map((part, number) => {
    const { owner } = part;
    const backups = part.backups.filter(holds);
    const next =
      part.next !== undefined && isUp(part.next) && part.next !== owner ? part.next : undefined;
    if (owner !== undefined && isUp(owner)) return { ...part, backups, next };
    if (owner === undefined) return { ...part, backups: [], next: undefined };

    const epoch = part.epoch + 1;
    if (part.recovery === "everyone") {
      const back = live.get(owner)?.weight ? owner : undefined;
      return { ...part, owner: back, backups: [], epoch, next: undefined };
    }
    const successor = least(backups, number) ?? (holds(owner) ? owner : undefined);
    if (successor !== undefined) {
      count(successor);
      const others = backups.filter((id) => id !== successor);
      const recovery = others.length === 0 ? "none" : "backups";
      return { owner: successor, backups: others, epoch, next: undefined, recovery, lost: false };
    }
    if (awaited.has(owner) || part.backups.some((id) => awaited.has(id) && !live.has(id))) {
      return { ...part, next: undefined };
    }
    // Its own node first, should it be back without what it held: others would have nothing either.
    const heir = live.has(owner) && live.get(owner)?.weight !== 0 ? owner : undefined;
    if (heir !== undefined) count(heir);
    return { owner: heir, backups: [], epoch, next: undefined, recovery: "none", lost: true };
  });
}
