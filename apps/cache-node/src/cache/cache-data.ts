import { type CacheEntry, type CacheRecord, isExpired } from "./cache-entry.ts";
import { heldBytesOf } from "./entry-memory.ts";
import { ExpiryQueue } from "./expiry-queue.ts";

/** Counts of one node. */
export interface CacheCounts {
  /** Entries of the partitions that this node owns. */
  readonly entries: number;
  readonly entriesWithTtl: number;
  /** Entries of copies that this node keeps for other owners. */
  readonly backupEntries: number;
  /** Bytes of all keys and values, in UTF-8. */
  readonly sizeBytes: number;
  /** Entries that expired since the start, in partitions that this node owned at the time. */
  readonly expired: number;
  /** Entries dropped since the start, because other nodes hold their partitions. */
  readonly released: number;
}

interface PartitionData {
  readonly entries: Map<string, CacheEntry>;
  withTtl: number;
  sizeBytes: number;
  heldBytes: number;
}

/**
 * All values of this node: those of its own partitions, and copies for other owners. Expired ones are never
 * returned; they are removed when they are found, and by `sweep`. Each node does that by itself.
 */
export class CacheData {
  readonly #now: () => number;
  readonly #partitions: Map<number, PartitionData> = new Map();
  readonly #owned: Set<number> = new Set();
  readonly #expiry: ExpiryQueue;
  #heldBytes = 0;
  #expired = 0;
  #released = 0;

  /** `now` returns Unix time in ms, because lifetimes outlast a process and are sent to other nodes. */
  constructor(now: () => number) {
    this.#now = now;
    this.#expiry = new ExpiryQueue((entry) => {
      return this.#partitions.get(entry.partition)?.entries.get(entry.key) === entry;
    });
  }

  /** Counts entries of these partitions as this node's own from now on. */
  own(partitions: readonly number[]): void {
    for (const partition of partitions) this.#owned.add(partition);
  }

  disown(partitions: readonly number[]): void {
    for (const partition of partitions) this.#owned.delete(partition);
  }

  get owned(): readonly number[] {
    return [...this.#owned].sort((left, right) => left - right);
  }

  /** Approximate memory of all entries, in bytes. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Approximate bytes that `set` would add, or remove. */
  growthBy(partition: number, { key, value }: Pick<CacheRecord, "key" | "value">): number {
    const old = this.#partitions.get(partition)?.entries.get(key);
    return heldBytesOf({ key, value }) - (old?.heldBytes ?? 0);
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
      data = { entries: new Map(), withTtl: 0, sizeBytes: 0, heldBytes: 0 };
      this.#partitions.set(partition, data);
    }
    const old = data.entries.get(record.key);
    const { key, value, expiresAtMs } = record;
    const sizeBytes = Buffer.byteLength(key) + Buffer.byteLength(value);
    const heldBytes = heldBytesOf(record);
    const entry: CacheEntry = { partition, key, value, expiresAtMs, sizeBytes, heldBytes };
    data.entries.set(key, entry);
    data.sizeBytes += sizeBytes;
    data.heldBytes += heldBytes;
    this.#heldBytes += heldBytes;
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

  /** The number of entries of a partition that have not expired. */
  countOf(partition: number): number {
    const nowMs = this.#now();
    return this.entriesOf(partition).filter((entry) => !isExpired(entry, nowMs)).length;
  }

  /** The entries of a partition at this moment; later changes are not visible. */
  entriesOf(partition: number): readonly CacheEntry[] {
    return [...(this.#partitions.get(partition)?.entries.values() ?? [])];
  }

  /** Replaces all entries of a partition. */
  replace(partition: number, records: Iterable<CacheRecord>): void {
    this.#clear(partition);
    for (const record of records) this.set(partition, record);
  }

  /** Drops a partition, because other nodes hold it. */
  drop(partition: number): void {
    this.#released += this.#clear(partition);
  }

  /** Removes at most `limit` expired entries; returns whether there may be more. */
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
    this.#heldBytes -= data.heldBytes;
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
    data.heldBytes -= entry.heldBytes;
    this.#heldBytes -= entry.heldBytes;
    if (entry.expiresAtMs !== 0) data.withTtl--;
  }
}
