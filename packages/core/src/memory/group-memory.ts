import type { ResolvedPolicy } from "../cache-policy.ts";
import type { NodeClock } from "../clock.ts";
import type { CacheStats, GroupCounters } from "../group-stats.ts";
import { FenceTable } from "../invalidation/fences.ts";
import { absentTag, TagIndex } from "../invalidation/tag-index.ts";
import { ByteStore, type ListTotals } from "./byte-store.ts";
import { freezeDeep } from "./frozen-value.ts";
import type { LruLists } from "./lru-lists.ts";

/** Decodes stored bytes for callers. */
export interface Decoder<T> {
  /** Throws a `ParsecError` of code `CODEC_FAILED`. */
  decode(bytes: Uint8Array): T;
  /** Whether callers may share one decoded value, if it can be frozen. */
  readonly shared: boolean;
}

/** The decoded, frozen value of an entry that was read, with a settled promise for hits. */
class Memo<T> {
  readonly value: T;
  readonly promise: Promise<T>;
  readonly slot: number;
  readonly freshUntil: number;
  readonly totals: ListTotals;

  constructor(value: T, at: { slot: number; freshUntil: number; totals: ListTotals }) {
    this.value = value;
    this.promise = Promise.resolve(value);
    this.slot = at.slot;
    this.freshUntil = at.freshUntil;
    this.totals = at.totals;
  }
}

/** Heap of a memo without its value and key: map slot, object, promise, string header. */
const memoOverheadBytes = 224;

/**
 * Heap bytes are charged one and a half times, because evicted memos stay until the garbage collector
 * runs.
 */
const heapChargeFactor = 1.5;

/** A copy of an entry that later changes of the memory do not affect. */
export interface StoredCopy {
  readonly value: Uint8Array | undefined;
  /** Remaining time to live; 0 or less when stale. */
  readonly remainingMs: number;
}

/** A copy of an entry for its next owner. */
export interface TransferCopy {
  readonly value: Uint8Array | undefined;
  readonly freshUntil: number;
  readonly tags: readonly string[];
}

/**
 * The memory of one group on one node: entries as bytes, decoded copies of entries that were read, tags and
 * fences. Never loads.
 */
export class GroupMemory<T> {
  readonly fences: FenceTable;
  readonly #policy: ResolvedPolicy;
  readonly #clock: NodeClock;
  readonly #decoder: Decoder<T>;
  readonly #counters: GroupCounters;
  readonly #store: ByteStore;
  readonly #lruLists: LruLists;
  readonly #memos: Map<string, Memo<T>> = new Map();
  readonly #tags: TagIndex = new TagIndex();
  readonly #absent: Promise<undefined> = Promise.resolve(undefined);

  constructor(parts: {
    readonly policy: ResolvedPolicy;
    readonly clock: NodeClock;
    readonly decoder: Decoder<T>;
    readonly counters: GroupCounters;
  }) {
    this.fences = new FenceTable({
      maxBytes: parts.policy.maxBytes,
      now: () => parts.clock.now(),
    });
    this.#policy = parts.policy;
    this.#clock = parts.clock;
    this.#decoder = parts.decoder;
    this.#counters = parts.counters;
    this.#store = new ByteStore({
      maxBytes: parts.policy.maxBytes,
      onRemove: (key) => {
        this.#memos.delete(key);
        this.#tags.remove(key);
      },
    });
    this.#lruLists = this.#store.lruLists;
  }

  get hits(): number {
    return this.#store.main.hits + this.#store.hot.hits;
  }

  /** The fresh value, counted as a hit, or undefined. The hot path. */
  hit(key: string): Promise<T | undefined> | undefined {
    const memo = this.#memos.get(key);
    if (memo !== undefined && this.#clock.isAhead(memo.freshUntil)) {
      memo.totals.hits++;
      this.#lruLists.touch(memo.slot, memo.totals.list);
      return memo.promise;
    }
    const slot = this.#findFresh(key);
    if (slot < 0) return undefined;
    this.#store.totalsOf(slot).hits++;
    return this.#open(key, slot);
  }

  /** Like {@link hit}, but synchronous. */
  peek(key: string): T | undefined {
    const memo = this.#memos.get(key);
    if (memo !== undefined && this.#clock.isAhead(memo.freshUntil)) {
      memo.totals.hits++;
      this.#lruLists.touch(memo.slot, memo.totals.list);
      return memo.value;
    }
    const slot = this.#findFresh(key);
    if (slot < 0) return undefined;
    this.#store.totalsOf(slot).hits++;
    const bytes = this.#store.value(slot);
    return bytes === undefined ? undefined : this.#decodeAndKeep(key, { slot, bytes });
  }

  /** The value expired for less than `staleWhileRevalidateMs`, counted as a stale hit, or undefined. */
  staleHit(key: string): Promise<T | undefined> | undefined {
    const slot = this.#findStale(key, this.#policy.staleWhileRevalidateMs);
    if (slot < 0) return undefined;
    this.#store.main.hits++;
    this.#counters.staleHits++;
    this.#store.touch(slot);
    return this.#memos.get(key)?.promise ?? this.#open(key, slot);
  }

  /** The encoded value for a peer, counted as a hit: fresh, or stale within `staleWhileRevalidateMs`. */
  copyForPeer(key: string): StoredCopy | undefined {
    let slot = this.#findFresh(key);
    if (slot < 0) {
      slot = this.#findStale(key, this.#policy.staleWhileRevalidateMs);
      if (slot < 0) return undefined;
      this.#counters.staleHits++;
    }
    this.#store.totalsOf(slot).hits++;
    return this.#copy(slot);
  }

  /** The stale value to serve because the origin failed, within `staleIfErrorMs`. Counted as a stale hit. */
  copyOnError(key: string): StoredCopy | undefined {
    const window = Math.max(this.#policy.staleIfErrorMs, this.#policy.staleWhileRevalidateMs);
    const slot = this.#findStale(key, window);
    if (slot < 0) return undefined;
    this.#counters.staleHits++;
    return this.#copy(slot);
  }

  /** Whether there is a fresh entry. Not counted. */
  has(key: string): boolean {
    return this.#findFresh(key) >= 0;
  }

  /** A snapshot of the keys in the main cache, most recently used first. */
  ownedKeys(): string[] {
    return this.#store.mainKeys();
  }

  /** The fresh entry for another owner. Neither counted nor marked as used. */
  copyForTransfer(key: string): TransferCopy | undefined {
    const slot = this.#findFresh(key);
    if (slot < 0) return undefined;
    const value = this.#store.value(slot);
    return {
      value: value === undefined ? undefined : Buffer.from(value),
      freshUntil: this.#store.freshUntil(slot),
      tags: this.#tags.of(key),
    };
  }

  /** Caches a value; `hot` when another node owns the key. Entries larger than the budget are not cached. */
  store(
    key: string,
    entry: {
      readonly value: Uint8Array | undefined;
      readonly freshUntil: number;
      readonly hot: boolean;
      readonly tags: readonly string[];
    },
  ): void {
    const slot = this.#store.put(key, entry.value, entry);
    if (slot < 0 || entry.tags.length === 0) return;
    // An entry that its tags cannot invalidate must not stay.
    if (this.#store.watch(slot, TagIndex.cost(key, entry.tags))) this.#tags.add(key, entry.tags);
    else this.#store.delete(key);
  }

  drop(key: string): void {
    this.#store.delete(key);
  }

  dropTagged(tag: string): void {
    for (const carried of [tag, absentTag]) {
      for (const key of this.#tags.keys(carried)) this.#store.delete(key);
    }
  }

  clear(): void {
    this.#store.clear();
  }

  stats(): { main: CacheStats; hot: CacheStats } {
    const { main, hot } = this.#store;
    return {
      main: {
        bytes: main.bytes,
        items: main.items,
        hits: main.hits,
        evictions: main.evictions,
      },
      hot: {
        bytes: hot.bytes,
        items: hot.items,
        hits: hot.hits,
        evictions: hot.evictions,
      },
    };
  }

  #findFresh(key: string): number {
    // Callers in plain JavaScript may pass anything; the engine rejects it with a typed error.
    if (typeof key !== "string") return -1;
    const slot = this.#store.find(key);
    return slot >= 0 && this.#clock.isAhead(this.#store.freshUntil(slot)) ? slot : -1;
  }

  /** An owned value (not a copy, invariant I7, nor a negative entry) expired for less than `windowMs`. */
  #findStale(key: string, windowMs: number): number {
    const slot = this.#store.find(key);
    if (slot < 0) return -1;
    const age = this.#clock.now() - this.#store.freshUntil(slot);
    const usable = age < windowMs && !this.#store.isHot(slot);
    return usable && this.#store.value(slot) !== undefined ? slot : -1;
  }

  #copy(slot: number): StoredCopy {
    this.#store.touch(slot);
    const value = this.#store.value(slot);
    return {
      value: value === undefined ? undefined : Buffer.from(value),
      remainingMs: this.#store.freshUntil(slot) - this.#clock.now(),
    };
  }

  #open(key: string, slot: number): Promise<T | undefined> {
    const bytes = this.#store.value(slot);
    if (bytes === undefined) {
      this.#store.touch(slot);
      return this.#absent;
    }
    try {
      const value = this.#decodeAndKeep(key, { slot, bytes });
      return this.#memos.get(key)?.promise ?? Promise.resolve(value);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #decodeAndKeep(key: string, entry: { readonly slot: number; readonly bytes: Buffer }): T {
    const totals = this.#store.totalsOf(entry.slot);
    this.#lruLists.touch(entry.slot, totals.list);
    const value = this.#decoder.decode(entry.bytes);
    if (!this.#decoder.shared) return value;
    // A codec is the user's code. If it dropped the entry, another one may have the slot now.
    if (this.#store.find(key) !== entry.slot) return value;
    const heapBytes = freezeDeep(value);
    if (heapBytes < 0) return value;
    const freshUntil = this.#store.freshUntil(entry.slot);
    const charge = (heapBytes + memoOverheadBytes + key.length) * heapChargeFactor;
    if (this.#store.watch(entry.slot, Math.ceil(charge))) {
      this.#memos.set(
        this.#store.key(entry.slot),
        new Memo(value, { slot: entry.slot, freshUntil, totals }),
      );
    }
    return value;
  }
}
