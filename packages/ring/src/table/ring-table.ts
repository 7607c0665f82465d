/** A process that takes part, as the table knows it. */
export interface TableMember {
  readonly id: string;
  /** Another one after each start and each time it was declared dead: what it held before is not its own. */
  readonly session: string;
  /** Where the link to it leads. */
  readonly address: string;
  readonly zone: string;
  /** Its share beside those of others. 0: it takes no partitions, and gives those it has away. */
  readonly weight: number;
  /** False while it is away and the partitions it owned wait for its return. */
  readonly present: boolean;
}

/**
 * What the next owner does before it serves.
 * `backups`: the owner died; one of several backups may know more than the others.
 * `everyone`: the table was lost, or is new; any node may hold what is to be found again.
 */
export type Recovery = "none" | "backups" | "everyone";

export interface TablePart {
  /** Undefined while nobody could own it. */
  readonly owner: string | undefined;
  /** May take over. Among them enough hold every acknowledged write: all where `ack` is `all` or there is but one. */
  readonly backups: readonly string[];
  /** Goes up with each change of the owner; orders writes and fences off owners of before. */
  readonly epoch: number;
  /** Who is to own it next, in a planned move. */
  readonly next: string | undefined;
  readonly recovery: Recovery;
  /** Whether the owner of this epoch began without what the last one held. */
  readonly lost: boolean;
}

/** Who owns what: the one record on which all nodes agree, written by compare-and-set only. */
export interface RingTable {
  /** Names the history that this table belongs to; another one after the bucket was lost. */
  readonly incarnation: string;
  /** Goes up by one with each write. */
  readonly epoch: number;
  /** Copies that are wanted of each partition, the owner's included. */
  readonly replicas: number;
  /** By id, ascending. */
  readonly members: readonly TableMember[];
  /** By number of the partition. */
  readonly parts: readonly TablePart[];
}

/** A partition that nobody has owned yet. */
export const unownedPart: TablePart = {
  owner: undefined,
  backups: [],
  epoch: 0,
  next: undefined,
  recovery: "everyone",
  lost: false,
};

/** The member of that id, present or not. */
export function memberOf(
  table: RingTable | undefined,
  id: string | undefined,
): TableMember | undefined {
  return id === undefined ? undefined : table?.members.find((member) => member.id === id);
}
