import { type CacheEntry, type CacheRecord, isExpired } from "./cache-entry.ts";
import { ExpiryQueue } from "./expiry-queue.ts";

/** Counts of one node. */
export interface CacheCounts {
  /** In the partitions that this node owns. */
  readonly entries: number;
  readonly entriesWithTtl: number;
  /** In copies that it keeps for other owners. */
  readonly backupEntries: number;
  /** Keys and values of all of them, in UTF-8. */
  readonly sizeBytes: number;
  /** Since the start, in partitions that this node owned at the time. */
  readonly expired: number;
  /** Since the start: dropped because other nodes hold their partitions by now. */
  readonly released: number;
}

/** What an entry takes beside its key and value: an object, a place in a map, two strings' heads. */
const entryOverheadBytes = 200;

interface PartitionData {
  readonly entries: Map<string, CacheEntry>;
  withTtl: number;
  sizeBytes: number;
}

/**
 * All values that this node holds, those of its own partitions and the copies of others'. Expired ones are
 * never given out; they are removed when they are met, and by `sweep`. Each node does that by itself.
 */
export class CacheData {
  readonly #now: () => number;
  readonly #partitions: Map<number, PartitionData> = new Map();
  readonly #owned: Set<number> = new Set();
  readonly #expiry: ExpiryQueue;
  #heldBytes = 0;
  #expired = 0;
  #released = 0;

  /** `now`: Unix time in ms, since lifetimes outlast a process and travel among nodes. */
  constructor(now: () => number) {
    this.#now = now;
    this.#expiry = new ExpiryQueue((entry) => {
      return this.#partitions.get(entry.partition)?.entries.get(entry.key) === entry;
    });
  }

  /** From now on entries of these partitions count as this node's own. */
  own(partitions: readonly number[]): void {
    for (const partition of partitions) this.#owned.add(partition);
  }

  disown(partitions: readonly number[]): void {
    for (const partition of partitions) this.#owned.delete(partition);
  }

  get owned(): readonly number[] {
    return [...this.#owned].sort((left, right) => left - right);
  }

  /** About what all entries take in memory. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** About what `set` would add to that, or take away. */
  growthBy(partition: number, { key, value }: Pick<CacheRecord, "key" | "value">): number {
    const old = this.#partitions.get(partition)?.entries.get(key);
    const heldNow = old === undefined ? 0 : old.sizeBytes + entryOverheadBytes;
    return Buffer.byteLength(key) + Buffer.byteLength(value) + entryOverheadBytes - heldNow;
  }

  get(partition: number, key: string): CacheEntry | undefined {
    const data = this.#partitions.get(partition);
    const entry = data?.entries.get(key);
    if (data === undefined || entry === undefined) return undefined;
    if (!isExpired(entry, this.#now())) return entry;
    this.#removeExpired(data, entry);
    return undefined;
  }

  set(partition: number, record: CacheRecord): void {
    let data = this.#partitions.get(partition);
    if (data === undefined) {
      data = { entries: new Map(), withTtl: 0, sizeBytes: 0 };
      this.#partitions.set(partition, data);
    }
    const old = data.entries.get(record.key);
    const { key, value, expiresAtMs } = record;
    const sizeBytes = Buffer.byteLength(key) + Buffer.byteLength(value);
    const entry: CacheEntry = { partition, key, value, expiresAtMs, sizeBytes };
    data.entries.set(key, entry);
    data.sizeBytes += sizeBytes;
    this.#heldBytes += sizeBytes + entryOverheadBytes;
    if (expiresAtMs !== 0) {
      data.withTtl++;
      this.#expiry.add(entry);
    }
    if (old !== undefined) this.#discount(data, old);
  }

  /** The entry that was there, expired or not. */
  delete(partition: number, key: string): CacheEntry | undefined {
    const data = this.#partitions.get(partition);
    const entry = data?.entries.get(key);
    if (data === undefined || entry === undefined) return undefined;
    data.entries.delete(key);
    this.#discount(data, entry);
    return entry;
  }

  /** What the partition holds at this moment; later changes do not show. */
  entriesOf(partition: number): readonly CacheEntry[] {
    return [...(this.#partitions.get(partition)?.entries.values() ?? [])];
  }

  /** Replaces all that the partition holds. */
  replace(partition: number, records: Iterable<CacheRecord>): void {
    this.#clear(partition);
    for (const record of records) this.set(partition, record);
  }

  /** Forgets the partition, which other nodes hold by now. */
  drop(partition: number): void {
    this.#released += this.#clear(partition);
  }

  /** Removes at most `limit` expired entries. Whether there may be more. */
  sweep(limit: number): boolean {
    const nowMs = this.#now();
    for (let count = 0; count < limit; count++) {
      const entry = this.#expiry.takeDue(nowMs);
      if (entry === undefined) return false;
      const data = this.#partitions.get(entry.partition) as PartitionData;
      data.entries.delete(entry.key);
      this.#uncount(data, entry);
      if (this.#owned.has(entry.partition)) this.#expired++;
    }
    return true;
  }

  counts(): CacheCounts {
    let [entries, entriesWithTtl, backupEntries, sizeBytes] = [0, 0, 0, 0];
    for (const [partition, data] of this.#partitions) {
      sizeBytes += data.sizeBytes;
      if (this.#owned.has(partition)) {
        entries += data.entries.size;
        entriesWithTtl += data.withTtl;
      } else {
        backupEntries += data.entries.size;
      }
    }
    const [expired, released] = [this.#expired, this.#released];
    return { entries, entriesWithTtl, backupEntries, sizeBytes, expired, released };
  }

  #clear(partition: number): number {
    const data = this.#partitions.get(partition);
    if (data === undefined) return 0;
    this.#partitions.delete(partition);
    this.#heldBytes -= data.sizeBytes + data.entries.size * entryOverheadBytes;
    this.#expiry.forget(data.withTtl);
    return data.entries.size;
  }

  #removeExpired(data: PartitionData, entry: CacheEntry): void {
    data.entries.delete(entry.key);
    this.#discount(data, entry);
    if (this.#owned.has(entry.partition)) this.#expired++;
  }

  #discount(data: PartitionData, entry: CacheEntry): void {
    this.#uncount(data, entry);
    if (entry.expiresAtMs !== 0) this.#expiry.forget(1);
  }

  #uncount(data: PartitionData, entry: CacheEntry): void {
    data.sizeBytes -= entry.sizeBytes;
    this.#heldBytes -= entry.sizeBytes + entryOverheadBytes;
    if (entry.expiresAtMs !== 0) data.withTtl--;
  }
}
