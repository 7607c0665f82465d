/** One value. Immutable, so that a snapshot can keep a reference to it. */
export interface CacheEntry {
  readonly partition: number;
  readonly key: string;
  readonly value: string;
  /** Unix time in ms; 0 for no expiry. */
  readonly expiresAtMs: number;
  /** Bytes of key and value in UTF-8. */
  readonly sizeBytes: number;
  /** The memory that the entry takes, in bytes; see `heldBytesOf`. */
  readonly heldBytes: number;
}

/** The part of an entry that is sent to other nodes, which know the partition. */
export type CacheRecord = Pick<CacheEntry, "key" | "value" | "expiresAtMs">;

export function isExpired(entry: Pick<CacheEntry, "expiresAtMs">, nowMs: number): boolean {
  return entry.expiresAtMs !== 0 && entry.expiresAtMs <= nowMs;
}
