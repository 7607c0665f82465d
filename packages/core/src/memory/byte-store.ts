import { SeededHash } from "../seeded-hash.ts";
import { Arena, arenaFootprint } from "./arena.ts";
import { hotList, type ListName, LruLists, mainList } from "./lru-lists.ts";

/*
 * The storage of a cache: keys and values lie in an arena, everything else in typed arrays, so that an
 * entry costs what it is charged and an evicted entry leaves no garbage. Two LRU lists, main and hot, share
 * one budget and one index.
 */

/**
 * Overhead of an entry beside its record: 40 bytes in the typed arrays, up to 8 in the index, and a share
 * of partly filled pages. Checked against the growth of a process in `bench/`.
 */
export const entryOverheadBytes = 64;

/** Slots are allocated in chunks, so that growing copies nothing and leaves no garbage. */
const chunkShift = 12;
const chunkSlots = 1 << chunkShift;
const chunkMask = chunkSlots - 1;

// The fields of a slot: six 32-bit integers, then one 64-bit float.
const fieldShift = 3;
const hashField = 0;
const referenceField = 1;
const keyField = 2; // key length in characters, shifted left by three, and the flags below
const valueField = 3; // value length, -1 for a negative entry
const chainField = 4; // next slot of the same bucket, or the next free slot
const chargeField = 5;
const freshUntilField = 3; // counted in floats

const hotFlag = 1;
const wideFlag = 2; // the key has characters above U+00FF and is kept in two bytes each
const watchedFlag = 4; // onRemove is called for it
const flagBits = 3;

/** The charge of an entry is kept in 32 bits. */
const largestCharge = 2 ** 31 - 1;

const none = -1;
/** Slots 0 and 1 are the sentinels of the LRU lists. */
const firstSlot = 2;

class Chunk {
  readonly integers: Int32Array = new Int32Array(chunkSlots << fieldShift);
  readonly floats: Float64Array = new Float64Array(this.integers.buffer);
}

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
}

/** Entries within a budget of bytes, evicted by LRU. Knows no expiry: the caller compares `freshUntil`. */
export class ByteStore {
  readonly #maxBytes: number;
  readonly #onRemove: (key: string) => void;
  readonly #hash: SeededHash;
  readonly #arena: Arena = new Arena();
  /** Public for the fastest path: a reader that knows the entry's list saves looking it up. */
  readonly lruLists: LruLists = new LruLists();
  readonly #chunks: Chunk[] = [];
  readonly main: ListTotals = new ListTotals(mainList);
  readonly hot: ListTotals = new ListTotals(hotList);
  #buckets: Int32Array = new Int32Array(256).fill(none);
  #slotCount: number = firstSlot;
  #freeSlot: number = none;

  constructor(options: ByteStoreOptions) {
    this.#maxBytes = options.maxBytes;
    this.#onRemove = options.onRemove;
    this.#hash = options.hash ?? new SeededHash();
  }

  get bytes(): number {
    return this.main.bytes + this.hot.bytes;
  }

  get items(): number {
    return this.main.items + this.hot.items;
  }

  /** The slot of a key, -1 when there is none. A slot is valid until the next change of the store. */
  find(key: string): number {
    return this.#find(key, this.#hash.of(key));
  }

  #find(key: string, hash: number): number {
    let slot = this.#buckets[hash & (this.#buckets.length - 1)] as number;
    while (slot !== none) {
      const fields = (this.#chunks[slot >> chunkShift] as Chunk).integers;
      const base = (slot & chunkMask) << fieldShift;
      if (fields[base + hashField] === hash && this.#keyEquals(slot, key)) return slot;
      slot = fields[base + chainField] as number;
    }
    return none;
  }

  /** Marks the entry as the most recently used of its list. */
  touch(slot: number): void {
    this.lruLists.touch(slot, this.totalsOf(slot).list);
  }

  freshUntil(slot: number): number {
    const floats = (this.#chunks[slot >> chunkShift] as Chunk).floats;
    return floats[((slot & chunkMask) << (fieldShift - 1)) + freshUntilField] as number;
  }

  isHot(slot: number): boolean {
    return (this.#get(slot, keyField) & hotFlag) !== 0;
  }

  /** The totals of the entry's list. */
  totalsOf(slot: number): ListTotals {
    return this.isHot(slot) ? this.hot : this.main;
  }

  /** The key of a slot, as a new string that retains no other memory. */
  key(slot: number): string {
    const keyAndFlags = this.#get(slot, keyField);
    const reference = this.#get(slot, referenceField);
    const start = this.#arena.offset(reference);
    const end = start + keyBytes(keyAndFlags);
    const encoding = keyAndFlags & wideFlag ? "utf16le" : "latin1";
    return this.#arena.buffer(reference).toString(encoding, start, end);
  }

  /** The value as a view that is valid until the next change of the store; undefined for a negative entry. */
  value(slot: number): Buffer | undefined {
    const length = this.#get(slot, valueField);
    if (length < 0) return undefined;
    const reference = this.#get(slot, referenceField);
    const start = this.#arena.offset(reference) + keyBytes(this.#get(slot, keyField));
    return this.#arena.buffer(reference).subarray(start, start + length);
  }

  /**
   * Stores a value, or undefined for a negative entry, and replaces the key's previous entry. Evicts as
   * needed: from the hot list while it exceeds 1/8 of the main list, else from the main list. Returns the
   * slot, or -1 when the entry alone exceeds the budget; the previous entry is gone then as well.
   */
  put(key: string, value: Uint8Array | undefined, options: PutOptions): number {
    const hash = this.#hash.of(key);
    const previous = this.#find(key, hash);
    if (previous !== none) this.#remove(previous);
    const wide = isWide(key);
    const keyLength = wide ? key.length * 2 : key.length;
    const valueLength = value === undefined ? 0 : value.length;
    const charge = entryCharge(keyLength + valueLength);
    if (charge > this.#maxBytes) return none;
    while (this.bytes + charge > this.#maxBytes) this.#evict(none);
    const reference = this.#arena.allocate(keyLength + valueLength);
    const buffer = this.#arena.buffer(reference);
    const start = this.#arena.offset(reference);
    buffer.write(key, start, keyLength, wide ? "utf16le" : "latin1");
    if (value !== undefined) buffer.set(value, start + keyLength);

    const slot = this.#takeSlot();
    const chunk = this.#chunks[slot >> chunkShift] as Chunk;
    const base = (slot & chunkMask) << fieldShift;
    chunk.integers[base + hashField] = hash;
    chunk.integers[base + referenceField] = reference;
    chunk.integers[base + keyField] =
      (key.length << flagBits) | (wide ? wideFlag : 0) | (options.hot ? hotFlag : 0);
    chunk.integers[base + valueField] = value === undefined ? none : valueLength;
    chunk.integers[base + chargeField] = charge;
    chunk.floats[(base >> 1) + freshUntilField] = options.freshUntil;
    const totals = options.hot ? this.hot : this.main;
    totals.bytes += charge;
    totals.items++;
    this.lruLists.add(slot, totals.list);
    if (this.items > this.#buckets.length) this.#growBuckets();
    else this.#chain(slot, hash);
    return slot;
  }

  /**
   * Charges `extraBytes` that the caller keeps for the entry, and has `onRemove` called for it. Returns
   * false, with nothing changed, when that would exceed the budget. May evict other entries.
   */
  watch(slot: number, extraBytes: number): boolean {
    const charge = this.#get(slot, chargeField) + extraBytes;
    if (charge > this.#maxBytes || charge > largestCharge) return false;
    this.#set(slot, keyField, this.#get(slot, keyField) | watchedFlag);
    this.#set(slot, chargeField, charge);
    this.totalsOf(slot).bytes += extraBytes;
    while (this.bytes > this.#maxBytes) this.#evict(slot);
    return true;
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
    this.#remove(slot);
    return true;
  }

  clear(): void {
    while (this.main.items > 0) this.#remove(this.lruLists.oldest(mainList));
    while (this.hot.items > 0) this.#remove(this.lruLists.oldest(hotList));
  }

  /** Evicts the least recently used entry other than `spared`. */
  #evict(excluded: number): void {
    const preferred = this.hot.bytes > this.main.bytes / 8 ? this.hot : this.main;
    const other = preferred === this.hot ? this.main : this.hot;
    const victim = this.#oldestExcept(excluded, preferred.list);
    const totals = victim === preferred.list ? other : preferred;
    totals.evictions++;
    this.#remove(victim === preferred.list ? this.#oldestExcept(excluded, other.list) : victim);
  }

  #oldestExcept(excluded: number, list: ListName): number {
    const oldest = this.lruLists.oldest(list);
    return oldest === excluded ? this.lruLists.newer(oldest) : oldest;
  }

  #remove(slot: number): void {
    const keyAndFlags = this.#get(slot, keyField);
    const key = keyAndFlags & watchedFlag ? this.key(slot) : undefined;
    const totals = keyAndFlags & hotFlag ? this.hot : this.main;
    this.lruLists.remove(slot);
    totals.bytes -= this.#get(slot, chargeField);
    totals.items--;
    this.#unchain(slot);
    this.#arena.free(this.#get(slot, referenceField));
    this.#set(slot, chainField, this.#freeSlot);
    this.#freeSlot = slot;
    if (key !== undefined) this.#onRemove(key);
  }

  #takeSlot(): number {
    const slot = this.#freeSlot;
    if (slot !== none) {
      this.#freeSlot = this.#get(slot, chainField);
      return slot;
    }
    if (this.#slotCount >> chunkShift === this.#chunks.length) {
      this.#chunks.push(new Chunk());
    }
    return this.#slotCount++;
  }

  #chain(slot: number, hash: number): void {
    const bucket = hash & (this.#buckets.length - 1);
    this.#set(slot, chainField, this.#buckets[bucket] as number);
    this.#buckets[bucket] = slot;
  }

  #unchain(slot: number): void {
    const bucket = this.#get(slot, hashField) & (this.#buckets.length - 1);
    const following = this.#get(slot, chainField);
    let at = this.#buckets[bucket] as number;
    if (at === slot) {
      this.#buckets[bucket] = following;
      return;
    }
    while (this.#get(at, chainField) !== slot) at = this.#get(at, chainField);
    this.#set(at, chainField, following);
  }

  #growBuckets(): void {
    this.#buckets = new Int32Array(this.#buckets.length * 2).fill(none);
    for (const list of [mainList, hotList] as const) {
      for (let slot = this.lruLists.oldest(list); slot !== list; slot = this.lruLists.newer(slot)) {
        this.#chain(slot, this.#get(slot, hashField));
      }
    }
  }

  #keyEquals(slot: number, key: string): boolean {
    const keyAndFlags = this.#get(slot, keyField);
    const length = keyAndFlags >>> flagBits;
    if (length !== key.length) return false;
    const reference = this.#get(slot, referenceField);
    const buffer = this.#arena.buffer(reference);
    let at = this.#arena.offset(reference);
    if (keyAndFlags & wideFlag) return buffer.toString("utf16le", at, at + length * 2) === key;
    for (let index = 0; index < length; index++, at++) {
      if (buffer[at] !== key.charCodeAt(index)) return false;
    }
    return true;
  }

  #get(slot: number, field: number): number {
    const { integers } = this.#chunks[slot >> chunkShift] as Chunk;
    return integers[((slot & chunkMask) << fieldShift) + field] as number;
  }

  #set(slot: number, field: number, value: number): void {
    const { integers } = this.#chunks[slot >> chunkShift] as Chunk;
    integers[((slot & chunkMask) << fieldShift) + field] = value;
  }
}

/** The charge of an entry whose key and value take `recordBytes`. */
export function entryCharge(recordBytes: number): number {
  return arenaFootprint(recordBytes) + entryOverheadBytes;
}

function keyBytes(keyAndFlags: number): number {
  const length = keyAndFlags >>> flagBits;
  return keyAndFlags & wideFlag ? length * 2 : length;
}

function isWide(key: string): boolean {
  for (let index = 0; index < key.length; index++) {
    if (key.charCodeAt(index) > 0xff) return true;
  }
  return false;
}
