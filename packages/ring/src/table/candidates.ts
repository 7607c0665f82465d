import { affinity } from "./rendezvous.ts";
import type { RingTable } from "./ring-table.ts";

/** The owner of a partition, then the nodes that would take over, in order; empty while there is no owner. */
export function candidatesFor(table: RingTable, partition: number): readonly string[] {
  const part = table.parts[partition];
  if (part?.owner === undefined) return [];
  const others = table.members
    .filter(({ present, weight }) => present && weight > 0)
    .map(({ id }) => id)
    .sort((left, right) => affinity(right, partition) - affinity(left, partition));
  const next = part.next === undefined ? [] : [part.next];
  return [...new Set([part.owner, ...next, ...part.backups, ...others])];
}
