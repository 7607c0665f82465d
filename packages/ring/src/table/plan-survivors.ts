import { affinity, leastBy } from "./rendezvous.ts";
import type { RingTable, TablePart } from "./ring-table.ts";

/** A member whose lease is valid. */
export interface LiveMember {
  readonly id: string;
  readonly session: string;
  readonly address: string;
  readonly zone: string;
  readonly weight: number;
  /** Whether its copies survive a restart of its process. */
  readonly durable: boolean;
}

export interface Survivors {
  readonly live: ReadonlyMap<string, LiveMember>;
  /** Dead members whose partitions wait for their return when there is no other copy. */
  readonly awaited: ReadonlySet<string>;
}

/**
 * Assigns partitions whose holders have died: a backup takes over; otherwise a node that returns with its copy;
 * otherwise a node that begins empty.
 */
export function withoutTheDead(table: RingTable, survivors: Survivors): TablePart[] {
  const { live, awaited } = survivors;
  const sessions = new Map(table.members.map(({ id, session }) => [id, session]));
  const isUp = (id: string): boolean => live.get(id)?.session === sessions.get(id);
  /** Still has its copies: it never went away, or they survive a restart. */
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
    if (owner !== undefined && isUp(owner)) {
      // Most partitions stay as they are, and an identical object needs no comparison.
      const isSame = backups.length === part.backups.length && next === part.next;
      return isSame ? part : { ...part, backups, next };
    }
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
    // Its former node first, even if it returned without its copy: the others have none either.
    const heir = live.has(owner) && live.get(owner)?.weight !== 0 ? owner : undefined;
    if (heir !== undefined) count(heir);
    return { owner: heir, backups: [], epoch, next: undefined, recovery: "none", lost: true };
  });
}
