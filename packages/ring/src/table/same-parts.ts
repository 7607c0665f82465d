import { isDeepStrictEqual } from "node:util";
import type { RingTable, TablePart } from "./ring-table.ts";

/** The table with the objects of an earlier one where they are equal, so that most comparisons are of identical ones. */
export function sharingParts(table: RingTable, earlier: RingTable | undefined): RingTable {
  if (earlier === undefined || earlier.incarnation !== table.incarnation) return table;
  const parts = table.parts.map((part, number) => {
    const before = earlier.parts[number];
    return isSamePart(part, before) ? (before as TablePart) : part;
  });
  const isSame = isDeepStrictEqual(table.members, earlier.members);
  return { ...table, parts, members: isSame ? earlier.members : table.members };
}

export function isSamePart(part: TablePart, other: TablePart | undefined): boolean {
  if (part === other) return true;
  if (other === undefined) return false;
  return (
    part.owner === other.owner &&
    part.epoch === other.epoch &&
    part.next === other.next &&
    part.recovery === other.recovery &&
    part.lost === other.lost &&
    part.backups.length === other.backups.length &&
    part.backups.every((id, at) => id === other.backups[at])
  );
}
