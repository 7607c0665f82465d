/** A position in the history of a partition: the epoch of the owner that ordered the last operation, and its number. */
export interface Position {
  readonly epoch: number;
  readonly seq: number;
}

/** Context of an operation that the application applies. */
export interface ApplyContext {
  readonly partition: number;
  /** Position of this operation. A durable application stores it with the data. */
  readonly position: Position;
  /** Whether this node owns the partition, so that the answer of `apply` goes to the caller. */
  readonly isOwner: boolean;
}

/**
 * The data of an application by partition, which the ring replicates and moves. Calls for one partition never
 * overlap. An error that a method throws goes to the caller of the operation only.
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
  /** Answers a query from the data of a partition. */
  read?(query: Uint8Array, partition: number): Uint8Array | Promise<Uint8Array>;
  /**
   * Returns the data at the moment of the call, in chunks of any size. Operations that are applied while it is read
   * must not be visible in it: copy references first, or yield data for which applying them twice is harmless.
   */
  snapshot(partition: number): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Replaces the partition's data by that of a snapshot, which reaches to `position`. */
  restore(
    chunks: AsyncIterable<Uint8Array>,
    context: { readonly partition: number; readonly position: Position },
  ): Promise<void>;
  /** Deletes the partition's data, because other nodes hold it. */
  drop(partition: number): void;
  /**
   * For durable data: the position of the stored data; undefined only for a partition that never had an operation.
   * Called once for each partition after a start.
   */
  position?(partition: number): Position | undefined;
  /**
   * For durable data: when the stored data of a partition is damaged, the position that it had at least. The partition
   * is then served only with a copy of another node that reaches this position. Called once for each after a start;
   * `position` must be undefined for the same partition.
   */
  damagedAt?(partition: number): Position | undefined;
}

/** Negative when `left` is behind `right`. */
export function comparePositions(left: Position, right: Position): number {
  return left.epoch - right.epoch || left.seq - right.seq;
}

export function isSamePosition(left: Position, right: Position): boolean {
  return left.epoch === right.epoch && left.seq === right.seq;
}

export const startPosition: Position = { epoch: 0, seq: 0 };
