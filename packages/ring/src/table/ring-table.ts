/** A member of the ring, as the table lists it. */
export interface TableMember {
  readonly id: string;
  /** Changes with each start and each time the node was declared dead: partitions of an earlier session are not its own. */
  readonly session: string;
  /** Its address on the link. */
  readonly address: string;
  readonly zone: string;
  /** Its relative share of partitions. With 0 it receives none, and hands over those it has. */
  readonly weight: number;
  /** False while it is absent and its partitions wait for its return. */
  readonly present: boolean;
}

/**
 * Which nodes a new owner asks for data before it serves. `none`: it has the data.
 * `backups`: the owner died, and one of several backups may be ahead of the others.
 * `everyone`: the table was lost, or is new; any node may hold the data.
 */
export type Recovery = "none" | "backups" | "everyone";

export interface TablePart {
  /** Undefined while no node can own it. */
  readonly owner: string | undefined;
  /** The nodes that may take over. At least one of them holds each acknowledged write; all do with `ack: "all"`. */
  readonly backups: readonly string[];
  /** Increases with each change of the owner; orders writes and fences earlier owners. */
  readonly epoch: number;
  /** The next owner, during a planned move. */
  readonly next: string | undefined;
  readonly recovery: Recovery;
  /** Whether the owner of this epoch began without the data of the previous one. */
  readonly lost: boolean;
}

/** The assignment of partitions to nodes: one record on which all nodes agree, written by compare-and-set. */
export interface RingTable {
  /** Identifies the history of this table: changes when the bucket was lost. */
  readonly incarnation: string;
  /** Increases by one with each write. */
  readonly epoch: number;
  /** Intended number of copies of each partition, including the owner's. */
  readonly replicas: number;
  /** By id, ascending. */
  readonly members: readonly TableMember[];
  /** By number of the partition. */
  readonly parts: readonly TablePart[];
}

/** A partition that has never had an owner. */
export const unownedPart: TablePart = {
  owner: undefined,
  backups: [],
  epoch: 0,
  next: undefined,
  recovery: "everyone",
  lost: false,
};

/** The member with this id, present or not. */
export function memberOf(
  table: RingTable | undefined,
  id: string | undefined,
): TableMember | undefined {
  return id === undefined ? undefined : table?.members.find((member) => member.id === id);
}
