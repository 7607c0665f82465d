import { ParsecError } from "@parsec/core";

/** The latest state of one key: its value, or that it was removed. */
export interface CoordinatorEntry {
  readonly key: string;
  /** Undefined when the key was removed. */
  readonly value: Uint8Array | undefined;
  /** Revision of the write or removal. Increases with each one, across all keys. */
  readonly revision: number;
}

/**
 * Receives what is stored. Revisions only increase between two snapshots; a value that is overwritten at once
 * may be skipped.
 */
export interface CoordinatorListener {
  /**
   * Called with all entries: after the start, after each loss of the connection, after each gap in the watch.
   * A key that is not listed does not exist. `store` identifies the storage: it changes when the storage was
   * deleted and created anew.
   */
  snapshot(entries: readonly CoordinatorEntry[], store: string): void;
  changed(entry: CoordinatorEntry): void;
  /** Called when the connection is lost: nothing is received or written until the next snapshot. */
  lost(reason: ParsecError): void;
  /** Called with a message for operators, such as that the bucket has one copy only. */
  warning(message: string): void;
}

export interface CoordinatorWrite {
  /** The revision that the key must have: of its last write or removal, 0 for a key that never existed. */
  readonly revision: number;
  readonly timeoutMs: number;
}

/**
 * The storage through which members agree: a few small records that are written by compare-and-set, and a
 * watch. No record expires by itself.
 */
export interface Coordinator {
  /**
   * True when the storage can be lost and created anew without this process noticing. The first owners of a
   * new table then wait until the lease of every owner of an older one must have expired.
   */
  readonly mayForget: boolean;
  /** Connects, again after each failure, and reports to `listener`. Called once. */
  start(listener: CoordinatorListener): void;
  /**
   * Resolves with the new revision. Rejects with a {@link WriteConflict} when the key has another revision
   * than given, so that nothing was written; with `PEER_UNREACHABLE` or `TIMEOUT` when the outcome is
   * unknown.
   */
  write(key: string, value: Uint8Array, options: CoordinatorWrite): Promise<number>;
  /** Removes a key. Resolves and rejects like `write`. */
  remove(key: string, options: CoordinatorWrite): Promise<number>;
  /** Reads all entries again, such as after a conflict; a snapshot follows. */
  resync(): void;
  /** Disconnects. A second call does nothing. */
  close(): Promise<void>;
}

/** Rejects a compare-and-set when another node wrote the key first. */
export class WriteConflict extends ParsecError {
  constructor(key: string) {
    super("OVERLOADED", `${key} was written by another node in the meantime`);
  }
}
