import type { RingTable, TablePart } from "./ring-table.ts";

/**
 * Counts the partitions without an owner, those whose owner still looks for data, and, if the ring has a state, those
 * with fewer copies than its present nodes can hold.
 */
export function incompleteParts(table: RingTable, hasState: boolean): number {
  const present = new Set<string>();
  let holders = 0;
  for (const member of table.members) {
    if (!member.present) continue;
    present.add(member.id);
    if (member.weight > 0) holders++;
  }
  const wanted = hasState ? Math.min(table.replicas, holders) : 1;
  const isComplete = ({ owner, backups, recovery, lost }: TablePart): boolean => {
    if (owner === undefined || !present.has(owner)) return false;
    if (hasState && recovery !== "none" && !lost) return false;
    return 1 + backups.filter((id) => present.has(id)).length >= wanted;
  };
  return table.parts.filter((part) => !isComplete(part)).length;
}
