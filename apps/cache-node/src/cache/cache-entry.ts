/** One value. Never changed, only replaced, so that a snapshot may hold on to it. */
export interface CacheEntry {
  readonly partition: number;
  readonly key: string;
  readonly value: string;
  /** Unix time; 0 for never. */
  readonly expiresAtMs: number;
  /** Of key and value in UTF-8. */
  readonly sizeBytes: number;
}

/** What travels of an entry: whoever holds it knows the partition. */
export type CacheRecord = Pick<CacheEntry, "key" | "value" | "expiresAtMs">;

export function isExpired(entry: Pick<CacheEntry, "expiresAtMs">, nowMs: number): boolean {
  return entry.expiresAtMs !== 0 && entry.expiresAtMs <= nowMs;
}
