import { affinity, leastBy } from "./rendezvous.ts";
import type { RingTable, TableMember } from "./ring-table.ts";

/**
 * The nodes that should hold the copies of each partition beside its owner. Depends on the table alone, so that
 * all nodes agree: nodes with a copy keep it, then nodes in other zones come first, then those with the fewest.
 */
export function backupTargets(table: RingTable): readonly (readonly string[])[] {
  const members = table.members.filter(({ present, weight }) => present && weight > 0);
  const byId = new Map(members.map((member) => [member.id, member]));
  const wanted = Math.min(table.replicas - 1, Math.max(members.length - 1, 0));
  const most = Math.ceil((table.parts.length * wanted) / Math.max(members.length, 1));
  const loads = new Map<string, number>();
  const chosen: string[][] = table.parts.map(() => []);

  const take = (number: number, id: string): void => {
    chosen[number]?.push(id);
    loads.set(id, (loads.get(id) ?? 0) + 1);
  };
  const loadOf = (id: string): number => loads.get(id) ?? 0;
  const zonesOf = (number: number): ReadonlySet<string> => {
    const ids = [table.parts[number]?.owner, ...(chosen[number] ?? [])];
    return new Set(ids.map((id) => zoneOf(table, id)));
  };
  const hasZones = members.some(({ zone }) => zone !== members[0]?.zone);
  /** Whether a node in a zone without a copy is available instead. */
  const crowds = (number: number, member: TableMember): boolean => {
    if (!hasZones) return false;
    const taken = zonesOf(number);
    return taken.has(member.zone) && members.some(({ zone }) => !taken.has(zone));
  };

  for (const [number, part] of table.parts.entries()) {
    for (const id of part.backups) {
      const member = byId.get(id);
      if (member === undefined || (chosen[number]?.length ?? 0) >= wanted) continue;
      if (loadOf(id) < most && !crowds(number, member)) take(number, id);
    }
  }
  for (const [number, part] of table.parts.entries()) {
    const picked = chosen[number] as string[];
    if (part.owner === undefined) continue;
    while (picked.length < wanted) {
      const free = members.filter(({ id }) => id !== part.owner && !picked.includes(id));
      const best = leastBy(free, (member) => [
        crowds(number, member) ? 1 : 0,
        loadOf(member.id) < most ? 0 : 1,
        part.backups.includes(member.id) ? 0 : 1,
        loadOf(member.id),
        -affinity(member.id, number),
        member.id,
      ]);
      if (best === undefined) break;
      take(number, best.id);
    }
  }
  return chosen;
}

function zoneOf(table: RingTable, id: string | undefined): string {
  return table.members.find((member) => member.id === id)?.zone ?? "";
}
