import { SeededHash } from "../seeded-hash.ts";
import { Arena, pageBytesFor } from "./arena.ts";
import { firstFlag, KeyTable, secondFlag, storedKeyBytes, thirdFlag } from "./key-table.ts";
import { hotList, type ListName, LruLists, mainList } from "./lru-lists.ts";
import { recordsOfEntries } from "./records.ts";
import { noSlot, slotBytes } from "./slot-table.ts";
import { TagLists } from "./tag-lists.ts";

/*
 * The storage of a cache: keys, values and tags lie in an arena, everything else in typed arrays, so that an
 * entry costs what it is charged and an evicted entry leaves no garbage. Two LRU lists, main and hot, share
 * one budget and one index.
 */

/**
 * Overhead of an entry beside its record: 40 bytes in the typed arrays, up to 8 in the index, and a share
 * of partly filled pages. Checked against the growth of a process in `bench/`.
 */
export const entryOverheadBytes = 64;
const leastCharge = entryOverheadBytes + 16;
const lruBytes = 8;

/**
 * The memory of a store never exceeds its budget by more than this factor, for pages that are partly filled
 * and tables that were larger once, and the floor, for a store with a tiny budget.
 */
const memoryFactor = 1.1;
const memoryFloorBytes = 64 * 1024;

// The fields of a slot that the table of keys leaves free: two 32-bit integers, then one 64-bit float.
const valueField = 3; // value length, -1 for a negative entry
const chargeField = 5;

const hotFlag = firstFlag;
const watchedFlag = secondFlag; // onRemove is called for it
const readFlag = thirdFlag;

/** Entries that one search for watched ones looks at. */
const searchedEntries = 10_000;

/** The charge of an entry is kept in 32 bits. */
const largestCharge = 2 ** 31 - 1;

const none = -1;
/** Slots 0 and 1 are the sentinels of the LRU lists. */
const firstSlot = 2;

/** Size and counters of one of the two lists. The caller counts hits. */
export class ListTotals {
  readonly list: ListName;
  bytes = 0;
  items = 0;
  hits = 0;
  evictions = 0;

  constructor(list: ListName) {
    this.list = list;
  }
}

/** Options of {@link ByteStore}. */
export interface ByteStoreOptions {
  readonly maxBytes: number;
  /** Called with the key of a watched entry when it is removed, evicted or replaced. */
  readonly onRemove: (key: string) => void;
  /** For tests of collisions; random by default. */
  readonly hash?: SeededHash;
}

/** Metadata of an entry to store. */
export interface PutOptions {
  /** On the caller's clock; Infinity for no expiry. */
  readonly freshUntil: number;
  /** A copy of a value that another node owns. */
  readonly hot: boolean;
  readonly tags: readonly string[];
}

/** Entries within a budget of bytes, evicted by LRU. Knows no expiry: the caller compares `freshUntil`. */
export class ByteStore {
  readonly #maxBytes: number;
  readonly #memoryLimit: number;
  readonly #onRemove: (key: string) => void;
  readonly #arena: Arena;
  readonly #entries: KeyTable;
  /** Created with the first entry that has tags. */
  #tags: TagLists | undefined;
  readonly #newTags: () => TagLists;
  /** Public for the fastest path: a reader that knows the entry's list saves looking it up. */
  readonly lruLists: LruLists;
  readonly main: ListTotals = new ListTotals(mainList);
  readonly hot: ListTotals = new ListTotals(hotList);
  /** Bytes that callers keep for watched entries. */
  #watchedBytes = 0;
  /** Where the search for watched entries goes on, by list; the list itself for its beginning. */
  readonly #searchedTo: Map<ListName, number> = new Map();
  /** Entries of doomed tags wait to be removed by {@link sweep}: check {@link isDoomed} before each use. */
  sweeping = false;

  constructor(options: ByteStoreOptions) {
    const { maxBytes } = options;
    this.#maxBytes = maxBytes;
    this.#memoryLimit = maxBytes * memoryFactor + memoryFloorBytes;
    this.#onRemove = options.onRemove;
    this.#arena = new Arena(pageBytesFor(maxBytes), (owner, from, to) => {
      if (owner & 1) this.#tags?.moved(owner >> 1, from, to);
      else this.#entries.records.moved(owner >> 1, from, to);
    });
    const maxSlots = firstSlot + Math.ceil(maxBytes / leastCharge);
    const parts = {
      arena: this.#arena,
      hash: options.hash ?? new SeededHash(),
      maxSlots,
      makeRoom: (payload: number) => this.#makeRoom(payload),
    };
    this.#entries = new KeyTable({ ...parts, user: recordsOfEntries, firstSlot });
    this.#newTags = () => new TagLists(parts);
    this.lruLists = new LruLists(maxSlots);
  }

  /** Charged bytes of all entries and their tags. */
  get bytes(): number {
    return this.main.bytes + this.hot.bytes + this.tagBytes;
  }

  /** Charged bytes of the tags, which entries share. */
  get tagBytes(): number {
    return this.#tags?.tagBytes ?? 0;
  }

  get items(): number {
    return this.main.items + this.hot.items;
  }

  /** Memory of the store and of what callers keep for its entries. */
  get memoryBytes(): number {
    const entries = this.#entries;
    const tables = entries.bytes + entries.slots.usedSlots * lruBytes + (this.#tags?.bytes ?? 0);
    return this.#arena.bytes + tables + this.#watchedBytes;
  }

  /** The slot of a key, -1 when there is none. A slot is valid until the next change of the store. */
  find(key: string): number {
    const slot = this.#entries.find(key, this.#entries.hashOf(key));
    return slot === noSlot ? none : slot;
  }

  /** Marks the entry as the most recently used of its list. */
  touch(slot: number): void {
    this.lruLists.touch(slot, this.totalsOf(slot).list);
  }

  freshUntil(slot: number): number {
    return this.#entries.slots.float(slot);
  }

  isHot(slot: number): boolean {
    return this.#entries.hasFlag(slot, hotFlag);
  }

  /** The totals of the entry's list. */
  totalsOf(slot: number): ListTotals {
    return this.isHot(slot) ? this.hot : this.main;
  }

  /** The key of a slot, as a new string that retains no other memory. */
  key(slot: number): string {
    return this.#entries.key(slot);
  }

  /** The value; undefined for a negative entry. A view that is valid until the next change of the store, or a copy. */
  value(slot: number): Buffer | undefined {
    const length = this.#entries.slots.get(slot, valueField);
    if (length < 0) return undefined;
    return this.#entries.records.read(slot, this.#entries.keyBytes(slot), length);
  }

  /** A copy of the value; undefined for a negative entry. */
  copy(slot: number): Buffer | undefined {
    const value = this.value(slot);
    return value === undefined || this.#entries.records.isLong(slot) ? value : Buffer.from(value);
  }

  /** The tags of an entry. */
  tags(slot: number): readonly string[] {
    return this.#tags?.of(slot) ?? [];
  }

  /** Marks an entry as read. Returns whether it was read before. */
  markRead(slot: number): boolean {
    const before = this.#entries.hasFlag(slot, readFlag);
    if (!before) this.#entries.setFlag(slot, readFlag, true);
    return before;
  }

  /**
   * Stores a value, or undefined for a negative entry, and replaces the key's previous entry. Evicts as
   * needed: from the hot list while it exceeds 1/8 of the main list, else from the main list. Returns the
   * slot, or -1 when the entry alone exceeds the budget; the previous entry is gone then as well.
   */
  put(key: string, value: Uint8Array | undefined, options: PutOptions): number {
    const entries = this.#entries;
    const hash = entries.hashOf(key);
    const previous = entries.find(key, hash);
    if (previous !== noSlot) this.remove(previous);
    const valueBytes = value === undefined ? 0 : value.length;
    const keyBytes = storedKeyBytes(key);
    const tags = options.tags.length > 1 ? [...new Set(options.tags)] : options.tags;
    if (tags.length > 0) this.#tags ??= this.#newTags();
    const charge = this.chargeOf(keyBytes + valueBytes) + tags.length * slotBytes;
    const allBytes = charge + (this.#tags?.ownBytes(tags) ?? 0);
    if (allBytes > this.#maxBytes || charge > largestCharge) return none;
    const added = charge + (this.#tags?.addedBytes(tags) ?? 0);
    while (this.bytes + added > this.#maxBytes && this.items > 0) this.#evict(none);

    const slot = entries.add(key, { hash, valueBytes });
    const { slots } = entries;
    if (value !== undefined) entries.records.write(slot, keyBytes, value);
    slots.set(slot, valueField, value === undefined ? none : valueBytes);
    slots.set(slot, chargeField, charge);
    slots.setFloat(slot, options.freshUntil);
    if (options.hot) entries.setFlag(slot, hotFlag, true);
    this.#tags?.add(slot, tags);
    const totals = options.hot ? this.hot : this.main;
    totals.bytes += charge;
    totals.items++;
    this.lruLists.add(slot, totals.list);
    // Evicted entries may have carried the same tags, so that their removal freed less than was added.
    this.#shrink(slot);
    return slot;
  }

  /** The charge of an entry without tags whose key and value take `recordBytes`. */
  chargeOf(recordBytes: number): number {
    return this.#entries.records.footprint(recordBytes) + entryOverheadBytes;
  }

  /**
   * Charges `extraBytes` that the caller keeps for the entry, and has `onRemove` called for it. Returns
   * false, with nothing changed, when that would exceed the budget. May evict other entries.
   */
  watch(slot: number, extraBytes: number): boolean {
    const { slots } = this.#entries;
    const charge = slots.get(slot, chargeField) + extraBytes;
    if (charge + this.tagBytes > this.#maxBytes || charge > largestCharge) return false;
    this.#entries.setFlag(slot, watchedFlag, true);
    slots.set(slot, chargeField, charge);
    this.totalsOf(slot).bytes += extraBytes;
    this.#watchedBytes += extraBytes;
    this.#shrink(slot);
    return true;
  }

  /**
   * Frees at least `wantedBytes` that callers keep for watched entries, if a bounded search finds them: calls
   * `onRemove` for entries that were used least recently, and keeps the entries.
   */
  unwatchOldest(wantedBytes: number): void {
    const until = this.#watchedBytes - wantedBytes;
    for (const list of [hotList, mainList] as const) {
      // The search continues where it ended, because the oldest entries are not watched any more.
      let slot = this.#searchedTo.get(list) ?? list;
      if (slot === list) slot = this.lruLists.oldest(list);
      for (let seen = 0; seen < searchedEntries && slot !== list; seen++) {
        if (this.#watchedBytes <= until) break;
        if (this.#entries.hasFlag(slot, watchedFlag)) this.#unwatch(slot);
        slot = this.lruLists.newer(slot);
      }
      this.#searchedTo.set(list, slot);
    }
  }

  /** The keys of the main list, most recently used first. */
  mainKeys(): string[] {
    const keys: string[] = [];
    let slot = this.lruLists.older(mainList);
    for (; slot !== mainList; slot = this.lruLists.older(slot)) keys.push(this.key(slot));
    return keys;
  }

  delete(key: string): boolean {
    const slot = this.find(key);
    if (slot === none) return false;
    this.remove(slot);
    return true;
  }

  /** Removes the entries that carry the tag: some at once, and more by {@link sweep} if `sweeping` is true then. */
  deleteTagged(tag: string, atOnce: number): void {
    if (this.#tags === undefined || this.#tags.doom(tag) === 0) return;
    this.sweeping = true;
    this.sweep(atOnce);
  }

  /** Whether the entry must not be used, because one of its tags was deleted. */
  isDoomed(slot: number): boolean {
    return this.#tags?.isDoomed(slot) === true;
  }

  /** Removes up to `count` doomed entries. */
  sweep(count: number): void {
    for (let removed = 0; removed < count; removed++) {
      const slot = this.#tags?.nextDoomed() ?? noSlot;
      if (slot === noSlot) break;
      this.remove(slot);
    }
    this.sweeping = (this.#tags?.nextDoomed() ?? noSlot) !== noSlot;
  }

  /** Removes everything in a time that does not depend on the number of entries, without calling `onRemove`. */
  clear(): void {
    this.#arena.clear();
    this.#entries.clear();
    this.#tags = undefined;
    this.lruLists.clear();
    for (const totals of [this.main, this.hot]) {
      totals.bytes = 0;
      totals.items = 0;
    }
    this.#watchedBytes = 0;
    this.#searchedTo.clear();
    this.sweeping = false;
  }

  /** Like {@link clear}, and gives the memory back. */
  release(): void {
    this.clear();
    this.#arena.release();
  }

  remove(slot: number): void {
    const entries = this.#entries;
    const totals = this.totalsOf(slot);
    if (entries.hasFlag(slot, watchedFlag)) this.#unwatch(slot);
    if (this.#searchedTo.get(totals.list) === slot) {
      this.#searchedTo.set(totals.list, this.lruLists.newer(slot));
    }
    this.lruLists.remove(slot);
    totals.bytes -= entries.slots.get(slot, chargeField);
    totals.items--;
    this.#tags?.remove(slot);
    entries.hide(slot);
    entries.release(slot);
  }

  #unwatch(slot: number): void {
    const { slots } = this.#entries;
    const extraBytes = slots.get(slot, chargeField) - this.#ownCharge(slot);
    this.#entries.setFlag(slot, watchedFlag, false);
    slots.set(slot, chargeField, slots.get(slot, chargeField) - extraBytes);
    this.totalsOf(slot).bytes -= extraBytes;
    this.#watchedBytes -= extraBytes;
    this.#onRemove(this.#entries.key(slot));
  }

  /** The charge of an entry without what callers keep for it. */
  #ownCharge(slot: number): number {
    const valueBytes = Math.max(0, this.#entries.slots.get(slot, valueField));
    const charge = this.chargeOf(this.#entries.keyBytes(slot) + valueBytes);
    return charge + (this.#tags?.entryBytes(slot) ?? 0);
  }

  /** Evicts entries other than `excluded` until budget and limit are kept. */
  #shrink(excluded: number): void {
    while (this.bytes > this.#maxBytes) this.#evict(excluded);
    while (this.memoryBytes > this.#memoryLimit) {
      if (this.#arena.releasePages() || this.#arena.compact()) continue;
      if (this.items === 1) return;
      this.#evict(excluded);
    }
  }

  /** Sees to it that a block can be allocated within the limit of memory. */
  #makeRoom(payload: number): void {
    const arena = this.#arena;
    while (!arena.hasRoom(payload) && this.memoryBytes + arena.growthBytes > this.#memoryLimit) {
      if (arena.compact() || this.items === 0) return;
      this.#evict(none);
    }
  }

  /** Evicts the least recently used entry other than `excluded`. */
  #evict(excluded: number): void {
    const preferred = this.hot.bytes > this.main.bytes / 8 ? this.hot : this.main;
    const other = preferred === this.hot ? this.main : this.hot;
    const victim = this.#oldestExcept(excluded, preferred.list);
    const totals = victim === preferred.list ? other : preferred;
    totals.evictions++;
    this.remove(victim === preferred.list ? this.#oldestExcept(excluded, other.list) : victim);
  }

  #oldestExcept(excluded: number, list: ListName): number {
    const oldest = this.lruLists.oldest(list);
    return oldest === excluded ? this.lruLists.newer(oldest) : oldest;
  }
}
