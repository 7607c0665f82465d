import { ParsecError } from "@parsec/core";

/** What stands under a key, or that it was removed. */
export interface CoordinatorEntry {
  readonly key: string;
  /** Undefined once it was removed. */
  readonly value: Uint8Array | undefined;
  /** Of the write or removal; goes up with each, over all keys. */
  readonly revision: number;
}

/**
 * Told what is stored. Revisions only go up between two snapshots; a value that is overwritten at once may
 * never be told.
 */
export interface CoordinatorListener {
  /**
   * Everything there is: after the start, after each loss of the connection, after each gap in the watch.
   * What is not listed is not there. `store` names the storage: another name, another storage, which
   * knows nothing of the last one.
   */
  snapshot(entries: readonly CoordinatorEntry[], store: string): void;
  changed(entry: CoordinatorEntry): void;
  /** Nothing will be heard or written from now on, until the next snapshot. */
  lost(reason: ParsecError): void;
  /** Something a person should know, such as that there is one copy only. */
  warning(message: string): void;
}

export interface CoordinatorWrite {
  /** The revision the key must have: of its last write or removal, 0 if there was none. */
  readonly revision: number;
  readonly timeoutMs: number;
}

/**
 * The place where the members agree: a few small records, each written by compare-and-set only, and a
 * watch. Nothing in it ever expires by itself.
 */
export interface Coordinator {
  /**
   * Whether the storage could have been lost and made anew without this process knowing. The first owners
   * of a new table then wait until any owner of an older one must have given up.
   */
  readonly mayForget: boolean;
  /** Begins to tell; called once. Connects as often as it takes. */
  start(listener: CoordinatorListener): void;
  /**
   * Resolves with the new revision. Rejects with a {@link WriteConflict} when the key has another revision
   * than given, so that nothing was written; with `PEER_UNREACHABLE` or `TIMEOUT` when nobody can say
   * whether it was.
   */
  write(key: string, value: Uint8Array, options: CoordinatorWrite): Promise<number>;
  /** The same for a removal. */
  remove(key: string, options: CoordinatorWrite): Promise<number>;
  /** Reads everything anew, because what was heard gives cause for doubt; a snapshot follows. */
  resync(): void;
  /** Closing twice is fine. */
  close(): Promise<void>;
}

/** Somebody else wrote the key first. */
export class WriteConflict extends ParsecError {
  constructor(key: string) {
    super("OVERLOADED", `${key} was written by another node in the meantime`);
  }
}
