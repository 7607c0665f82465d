import type { ResolvedPolicy } from "../cache-policy.ts";
import type { NodeClock } from "../clock.ts";
import type { CacheStats, GroupCounters } from "../group-stats.ts";
import { absentTag } from "../invalidation/absent-tag.ts";
import { FenceTable } from "../invalidation/fences.ts";
import { ByteStore, type ListTotals } from "./byte-store.ts";
import { freezeDeep } from "./frozen-value.ts";
import { KnownShapes } from "./known-shapes.ts";
import type { LruLists } from "./lru-lists.ts";
import type { SlicedWork } from "./sliced-work.ts";

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
  readonly charge: number;

  constructor(
    value: T,
    at: { slot: number; freshUntil: number; totals: ListTotals; charge: number },
  ) {
    this.value = value;
    this.promise = Promise.resolve(value);
    this.slot = at.slot;
    this.freshUntil = at.freshUntil;
    this.totals = at.totals;
    this.charge = at.charge;
  }
}

/** Heap of a memo without its value and key: map slot, object, promise, string header. */
const memoOverheadBytes = 224;

/**
 * Heap bytes are charged this many times: V8 lets its heap grow to a multiple of what is alive before it
 * collects the memos that were evicted.
 */
const heapChargeFactor = 4;

/** Memos take at most this part of the budget, so that they never displace most of the entries. */
const memoShare = 1 / 2;
/** When memos are dropped for another one, this part of their share is freed at once. */
const freedShare = 1 / 16;

/** Entries of a tag that are removed within its invalidation, and in each step after it. */
const sweptPerStep = 32;

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
  readonly #slicedWork: SlicedWork;
  readonly #store: ByteStore;
  readonly #lruLists: LruLists;
  /** The memos of all watched entries. */
  #memos: Map<string, Memo<T>> = new Map();
  /** The same map; during a sweep an empty one, so that hits check every entry. */
  #checkedMemos: Map<string, Memo<T>> = this.#memos;
  #memoBytes = 0;
  readonly #maxMemoBytes: number;
  readonly #shapes: KnownShapes = new KnownShapes();
  readonly #absent: Promise<undefined> = Promise.resolve(undefined);

  constructor(parts: {
    readonly policy: ResolvedPolicy;
    readonly clock: NodeClock;
    readonly decoder: Decoder<T>;
    readonly counters: GroupCounters;
    readonly slicedWork: SlicedWork;
  }) {
    this.fences = new FenceTable({
      maxBytes: parts.policy.maxBytes,
      now: () => parts.clock.now(),
    });
    this.#policy = parts.policy;
    this.#clock = parts.clock;
    this.#decoder = parts.decoder;
    this.#counters = parts.counters;
    this.#slicedWork = parts.slicedWork;
    this.#store = new ByteStore({
      maxBytes: parts.policy.maxBytes,
      onRemove: (key) => {
        this.#memoBytes -= this.#memos.get(key)?.charge ?? 0;
        this.#memos.delete(key);
      },
    });
    this.#maxMemoBytes = parts.policy.maxBytes * memoShare;
    this.#lruLists = this.#store.lruLists;
  }

  get hits(): number {
    return this.#store.main.hits + this.#store.hot.hits;
  }

  /** The fresh value, counted as a hit, or undefined. The hot path. */
  hit(key: string): Promise<T | undefined> | undefined {
    const memo = this.#checkedMemos.get(key);
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
    const memo = this.#checkedMemos.get(key);
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
    return {
      value: this.#store.copy(slot),
      freshUntil: this.#store.freshUntil(slot),
      tags: this.#store.tags(slot),
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
    this.#store.put(key, entry.value, entry);
  }

  drop(key: string): void {
    this.#store.delete(key);
  }

  /** No entry with the tag is returned from now on. Many are removed in several turns of the event loop. */
  dropTagged(tag: string): void {
    const wasSweeping = this.#store.sweeping;
    for (const carried of [tag, absentTag]) this.#store.deleteTagged(carried, sweptPerStep);
    if (!this.#store.sweeping || wasSweeping) return;
    this.#checkedMemos = new Map();
    this.#slicedWork.add(() => this.#sweepStep());
  }

  clear(): void {
    this.#store.clear();
    this.#forgetMemos();
  }

  /** Like {@link clear}, and gives the memory back. */
  release(): void {
    this.#store.release();
    this.#forgetMemos();
  }

  stats(): { main: CacheStats; hot: CacheStats } {
    const { main, hot, tagBytes } = this.#store;
    return {
      main: {
        bytes: main.bytes + tagBytes,
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

  #find(key: string): number {
    const store = this.#store;
    const slot = store.find(key);
    if (!store.sweeping || slot < 0 || !store.isDoomed(slot)) return slot;
    store.remove(slot);
    return -1;
  }

  #findFresh(key: string): number {
    // Callers in plain JavaScript may pass anything; the engine rejects it with a typed error.
    if (typeof key !== "string") return -1;
    const slot = this.#find(key);
    return slot >= 0 && this.#clock.isAhead(this.#store.freshUntil(slot)) ? slot : -1;
  }

  /** An owned value (not a copy, invariant I7, nor a negative entry) expired for less than `windowMs`. */
  #findStale(key: string, windowMs: number): number {
    const slot = this.#find(key);
    if (slot < 0) return -1;
    const age = this.#clock.now() - this.#store.freshUntil(slot);
    const usable = age < windowMs && !this.#store.isHot(slot);
    return usable && this.#store.value(slot) !== undefined ? slot : -1;
  }

  #copy(slot: number): StoredCopy {
    this.#store.touch(slot);
    return {
      value: this.#store.copy(slot),
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
    // During a sweep only.
    const memo = this.#memos.get(key);
    if (memo !== undefined) return memo.value;
    const value = this.#decoder.decode(entry.bytes);
    if (!this.#decoder.shared) return value;
    // A codec is the user's code. If it dropped the entry, another one may have the slot now.
    if (this.#store.find(key) !== entry.slot) return value;
    const heapBytes = freezeDeep(value, this.#shapes);
    if (heapBytes < 0) return value;
    // Strings of a codec may be parts of one that is as long as the encoded value.
    const bytes = Math.max(heapBytes, entry.bytes.length) + memoOverheadBytes + key.length;
    const charge = Math.ceil(bytes * heapChargeFactor);
    if (this.#admitsMemo(entry.slot, charge) && this.#store.watch(entry.slot, charge)) {
      const freshUntil = this.#store.freshUntil(entry.slot);
      this.#memoBytes += charge;
      this.#memos.set(
        this.#store.key(entry.slot),
        new Memo(value, { slot: entry.slot, freshUntil, totals, charge }),
      );
    }
    return value;
  }

  /**
   * Whether to keep a memo. Once entries are evicted, only for one that is read again, because the heap of
   * short-lived memos grows far beyond what is alive. Memos that were used least recently make room for it.
   */
  #admitsMemo(slot: number, charge: number): boolean {
    if (charge > this.#maxMemoBytes) return false;
    const excess = this.#memoBytes + charge - this.#maxMemoBytes;
    const { main, hot } = this.#store;
    const isFull = excess > 0 || main.evictions > 0 || hot.evictions > 0;
    if (isFull && !this.#store.markRead(slot)) return false;
    if (excess <= 0) return true;
    this.#store.unwatchOldest(excess + this.#maxMemoBytes * freedShare);
    return this.#memoBytes + charge <= this.#maxMemoBytes;
  }

  #forgetMemos(): void {
    this.#memos = new Map();
    this.#checkedMemos = this.#memos;
    this.#memoBytes = 0;
  }

  /** Returns whether more is left to do. */
  #sweepStep(): boolean {
    this.#store.sweep(sweptPerStep);
    if (!this.#store.sweeping) this.#checkedMemos = this.#memos;
    return this.#store.sweeping;
  }
}
