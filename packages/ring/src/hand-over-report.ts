import type { RingTable, TablePart } from "./table/ring-table.ts";

/** What a node still holds after it has handed its partitions over; both lists are empty when it may end. */
export interface HandOverReport {
  /** Partitions that the table still assigns to this node. Ending it loses nothing: other nodes have copies, or there is no data. */
  readonly unmoved: readonly number[];
  /** Partitions whose data no other node has. Ending this process loses them, unless they are `durable`. */
  readonly onlyHere: readonly number[];
}

export interface HandOverReportOptions {
  readonly selfId: string;
  /** Whether this node has operations of the partition. */
  readonly hasData: (partition: number) => boolean;
  /** The partitions of which this node has operations. */
  readonly withData: () => readonly number[];
}

/** Lists the partitions that need this node by a table. Without a table, it needs all of which it has data. */
export function reportHandOver(
  table: RingTable | undefined,
  options: HandOverReportOptions,
): HandOverReport {
  const { selfId, hasData, withData } = options;
  if (table === undefined) return { unmoved: [], onlyHere: withData() };
  const isAlone = !hasTakers(table, selfId);
  const present = new Set(table.members.filter((member) => member.present).map(({ id }) => id));
  const unmoved: number[] = [];
  const onlyHere: number[] = [];
  const isElsewhere = ({ owner, backups, recovery }: TablePart): boolean => {
    const holders = owner === undefined ? backups : [owner, ...backups];
    // A new owner that still looks for the data may need the copy of this node.
    if (owner !== selfId && recovery !== "none") return false;
    return holders.some((id) => id !== selfId && present.has(id));
  };
  for (const [partition, part] of table.parts.entries()) {
    const { owner, backups, next, recovery } = part;
    const isNamed = owner === selfId || next === selfId || backups.includes(selfId);
    const isSought = recovery === "everyone" && hasData(partition);
    if (!isNamed && !isSought) continue;
    if (isElsewhere(part)) unmoved.push(partition);
    else if (hasData(partition)) onlyHere.push(partition);
    else if (!isAlone) unmoved.push(partition);
  }
  return { unmoved, onlyHere };
}

/** Whether another node may take partitions over. */
export function hasTakers(table: RingTable | undefined, selfId: string): boolean {
  const others = table?.members.filter(({ id }) => id !== selfId) ?? [];
  return others.some(({ present, weight }) => present && weight > 0);
}

/** Whether a node that leaves has nothing to wait for. */
export function mayEnd(
  { unmoved, onlyHere }: HandOverReport,
  options: {
    /** Whether another node is there that may take partitions over. */
    readonly hasTakers: boolean;
    /** Whether the data survives the end of the process. */
    readonly isDurable: boolean;
    readonly waitsForTakers: boolean;
  },
): boolean {
  if (unmoved.length === 0 && onlyHere.length === 0) return true;
  return !options.hasTakers && (options.isDurable || !options.waitsForTakers);
}
