/** Where a partition's history stands: the epoch of the owner that ordered the last operation, and its number. */
export interface Position {
  readonly epoch: number;
  readonly seq: number;
}

/** What an application may want to know about an operation that it applies. */
export interface ApplyContext {
  readonly partition: number;
  /** Of this operation. To be stored with the data by applications whose data outlives the process. */
  readonly position: Position;
  /** Whether this node owns the partition; the answer of `apply` goes to the caller then. */
  readonly isOwner: boolean;
}

/**
 * The data of an application, partition by partition, as the ring copies and moves it. Calls for one
 * partition never overlap. What the methods throw goes to the caller of the operation, and nowhere else.
 */
export interface PartitionState {
  /**
   * Carries out one operation and answers it. Called on the owner and on each backup, in the same order,
   * so it must depend on the operation and the data alone: no clock, no chance, no other partition.
   */
  apply(
    op: Uint8Array,
    context: ApplyContext,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Answers a question from what is there. */
  read?(query: Uint8Array, partition: number): Uint8Array | Promise<Uint8Array>;
  /**
   * The data as it is at the moment of the call, in pieces of any size. Operations that come while it is
   * read must not show in it: copy references first, or yield what a second application does not change.
   */
  snapshot(partition: number): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Replaces the partition's data by what a snapshot gave, up to `position`. */
  restore(
    chunks: AsyncIterable<Uint8Array>,
    context: { readonly partition: number; readonly position: Position },
  ): Promise<void>;
  /** Forgets the partition's data: others hold it by now. */
  drop(partition: number): void;
  /**
   * For data that outlives the process: how far what is there goes; undefined only for a partition that
   * never had an operation. Asked once for each partition after a start.
   */
  position?(partition: number): Position | undefined;
}

/** Negative when `left` is behind `right`. */
export function comparePositions(left: Position, right: Position): number {
  return left.epoch - right.epoch || left.seq - right.seq;
}

export function isSamePosition(left: Position, right: Position): boolean {
  return left.epoch === right.epoch && left.seq === right.seq;
}

export const startPosition: Position = { epoch: 0, seq: 0 };
