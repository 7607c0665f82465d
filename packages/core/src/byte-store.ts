import { Arena, arenaFootprint } from "./arena.ts";
import { hashKey } from "./key-hash.ts";

/*
 * The cache's memory: keys and values lie in an arena, everything else in typed arrays, so that an
 * entry costs what it is charged and an evicted one leaves nothing for the garbage collector.
 * Two recency lists, main and hot, share one budget and one index.
 */

/**
 * Bytes an entry costs beside its record: 40 in the typed arrays, up to 8 in the index, and its part
 * of the pages not quite full. Measured by the growth of a process in `bench/` (process growth).
 */
export const entryOverheadBytes = 64;

/** Slots come in chunks, so that growing copies nothing and leaves no garbage. */
const chunkShift = 12;
const chunkSlots = 1 << chunkShift;
const chunkMask = chunkSlots - 1;

// The fields of a slot, eight 32-bit integers each.
const fieldShift = 3;
const hashField = 0;
const referenceField = 1;
const keyField = 2; // key length in characters, shifted left by three, and the flags below
const valueField = 3; // value length, -1 for "the origin has none"
const previousField = 4;
const nextField = 5;
const chainField = 6; // next slot of the same bucket
const chargeField = 7;

const hotFlag = 1;
const wideFlag = 2; // the key has characters above U+00FF and is kept in two bytes each
const watchedFlag = 4; // the owner wants to hear of its removal
const flagBits = 3;

const none = -1;

class Chunk {
  readonly fields: Int32Array = new Int32Array(chunkSlots << fieldShift);
  readonly freshUntil: Float64Array = new Float64Array(chunkSlots);
}

class RecencyList {
  newest: number = none;
  oldest: number = none;
  bytes = 0;
  items = 0;
  evictions = 0;
}

export interface ByteStoreOptions {
  readonly maxBytes: number;
  /** Called with the key of a watched entry that goes, for whatever reason. */
  readonly onRemove: (key: string) => void;
}

export interface PutOptions {
  /** On the caller's clock; Infinity for ever. */
  readonly freshUntil: number;
  /** A copy of what another node owns. */
  readonly hot: boolean;
}

export class ByteStore {
  readonly #maxBytes: number;
  readonly #onRemove: (key: string) => void;
  readonly #arena: Arena = new Arena();
  readonly #chunks: Chunk[] = [];
  readonly main: RecencyList = new RecencyList();
  readonly hot: RecencyList = new RecencyList();
  #buckets: Int32Array = new Int32Array(256).fill(none);
  #slotCount = 0;
  #freeSlot: number = none;

  constructor(options: ByteStoreOptions) {
    this.#maxBytes = options.maxBytes;
    this.#onRemove = options.onRemove;
  }

  get bytes(): number {
    return this.main.bytes + this.hot.bytes;
  }

  get items(): number {
    return this.main.items + this.hot.items;
  }

  /** The slot of a key, -1 when there is none. A slot is good until the next change of the store. */
  find(key: string): number {
    const hash = hashKey(key);
    let slot = this.#buckets[hash & (this.#buckets.length - 1)] as number;
    while (slot !== none) {
      const fields = this.#fields(slot);
      const base = (slot & chunkMask) << fieldShift;
      if (fields[base + hashField] === hash && this.#keyEquals(fields, base, key)) return slot;
      slot = fields[base + chainField] as number;
    }
    return none;
  }

  /** Marks the entry as the most recently used of its list. */
  touch(slot: number): void {
    const fields = this.#fields(slot);
    const base = (slot & chunkMask) << fieldShift;
    const list = (fields[base + keyField] as number) & hotFlag ? this.hot : this.main;
    if (list.newest === slot) return;
    this.#unlink(slot, list);
    this.#link(slot, list);
  }

  freshUntil(slot: number): number {
    return (this.#chunks[slot >> chunkShift] as Chunk).freshUntil[slot & chunkMask] as number;
  }

  isHot(slot: number): boolean {
    return (this.#get(slot, keyField) & hotFlag) !== 0;
  }

  /** The value's bytes as a view that is good until the next change of the store; undefined for a negative entry. */
  value(slot: number): Buffer | undefined {
    const length = this.#get(slot, valueField);
    if (length < 0) return undefined;
    const reference = this.#get(slot, referenceField);
    const start = this.#arena.offset(reference) + keyBytes(this.#get(slot, keyField));
    return this.#arena.buffer(reference).subarray(start, start + length);
  }

  /**
   * Stores a value, undefined for "there is none", replacing what the key had. Evicts as needed:
   * from the hot list when it exceeds 1/8 of the main one, else from the main list. Returns the slot,
   * or -1 when the entry alone exceeds the budget (and then the key is not there any more).
   */
  put(key: string, value: Uint8Array | undefined, options: PutOptions): number {
    this.delete(key);
    const wide = isWide(key);
    const keyLength = wide ? key.length * 2 : key.length;
    const valueLength = value === undefined ? 0 : value.length;
    const charge = entryCharge(keyLength + valueLength);
    if (charge > this.#maxBytes) return none;
    this.#makeRoom(charge);
    const reference = this.#arena.allocate(keyLength + valueLength);
    const buffer = this.#arena.buffer(reference);
    const start = this.#arena.offset(reference);
    if (wide) buffer.write(key, start, keyLength, "utf16le");
    else buffer.write(key, start, keyLength, "latin1");
    if (value !== undefined) buffer.set(value, start + keyLength);

    const slot = this.#takeSlot();
    const hash = hashKey(key);
    const bucket = hash & (this.#buckets.length - 1);
    const fields = this.#fields(slot);
    const base = (slot & chunkMask) << fieldShift;
    fields[base + hashField] = hash;
    fields[base + referenceField] = reference;
    fields[base + keyField] =
      (key.length << flagBits) | (wide ? wideFlag : 0) | (options.hot ? hotFlag : 0);
    fields[base + valueField] = value === undefined ? none : valueLength;
    fields[base + chainField] = this.#buckets[bucket] as number;
    fields[base + chargeField] = charge;
    (this.#chunks[slot >> chunkShift] as Chunk).freshUntil[slot & chunkMask] = options.freshUntil;
    this.#buckets[bucket] = slot;
    const list = options.hot ? this.hot : this.main;
    list.bytes += charge;
    list.items++;
    this.#link(slot, list);
    if (this.items > this.#buckets.length) this.#growBuckets();
    return slot;
  }

  /**
   * Charges what the owner keeps beside the entry and has its removal reported. Returns false,
   * with nothing changed, when that would not fit the budget. May evict other entries.
   */
  watch(slot: number, extraBytes: number): boolean {
    const charge = this.#get(slot, chargeField) + extraBytes;
    if (charge > this.#maxBytes) return false;
    const list = this.isHot(slot) ? this.hot : this.main;
    this.touch(slot);
    this.#set(slot, keyField, this.#get(slot, keyField) | watchedFlag);
    this.#set(slot, chargeField, charge);
    list.bytes += extraBytes;
    while (this.bytes > this.#maxBytes) this.#evict(slot);
    return true;
  }

  delete(key: string): boolean {
    const slot = this.find(key);
    if (slot === none) return false;
    this.#remove(slot);
    return true;
  }

  clear(): void {
    for (const list of [this.main, this.hot]) {
      while (list.oldest !== none) this.#remove(list.oldest);
    }
  }

  #makeRoom(charge: number): void {
    while (this.bytes + charge > this.#maxBytes) this.#evict(none);
  }

  /** Evicts the least recently used entry that is not `spared`. */
  #evict(spared: number): void {
    const preferred = this.hot.bytes > this.main.bytes / 8 ? this.hot : this.main;
    const other = preferred === this.hot ? this.main : this.hot;
    const list = this.#victim(preferred, spared) === none ? other : preferred;
    const victim = this.#victim(list, spared);
    list.evictions++;
    this.#remove(victim);
  }

  #victim(list: RecencyList, spared: number): number {
    return list.oldest === spared && spared !== none
      ? this.#get(spared, previousField)
      : list.oldest;
  }

  #remove(slot: number): void {
    const keyAndFlags = this.#get(slot, keyField);
    const key = keyAndFlags & watchedFlag ? this.key(slot) : undefined;
    const list = keyAndFlags & hotFlag ? this.hot : this.main;
    this.#unlink(slot, list);
    list.bytes -= this.#get(slot, chargeField);
    list.items--;
    this.#unchain(slot);
    this.#arena.free(this.#get(slot, referenceField));
    this.#set(slot, nextField, this.#freeSlot);
    this.#freeSlot = slot;
    if (key !== undefined) this.#onRemove(key);
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

  #takeSlot(): number {
    const slot = this.#freeSlot;
    if (slot !== none) {
      this.#freeSlot = this.#get(slot, nextField);
      return slot;
    }
    if (this.#slotCount === this.#chunks.length << chunkShift) this.#chunks.push(new Chunk());
    return this.#slotCount++;
  }

  #growBuckets(): void {
    const buckets = new Int32Array(this.#buckets.length * 2).fill(none);
    for (const list of [this.main, this.hot]) {
      for (let slot = list.oldest; slot !== none; slot = this.#get(slot, previousField)) {
        const bucket = this.#get(slot, hashField) & (buckets.length - 1);
        this.#set(slot, chainField, buckets[bucket] as number);
        buckets[bucket] = slot;
      }
    }
    this.#buckets = buckets;
  }

  #link(slot: number, list: RecencyList): void {
    const fields = this.#fields(slot);
    const base = (slot & chunkMask) << fieldShift;
    fields[base + previousField] = none;
    fields[base + nextField] = list.newest;
    if (list.newest === none) list.oldest = slot;
    else this.#set(list.newest, previousField, slot);
    list.newest = slot;
  }

  #unlink(slot: number, list: RecencyList): void {
    const fields = this.#fields(slot);
    const base = (slot & chunkMask) << fieldShift;
    const previous = fields[base + previousField] as number;
    const next = fields[base + nextField] as number;
    if (previous === none) list.newest = next;
    else this.#set(previous, nextField, next);
    if (next === none) list.oldest = previous;
    else this.#set(next, previousField, previous);
  }

  #keyEquals(fields: Int32Array, base: number, key: string): boolean {
    const keyAndFlags = fields[base + keyField] as number;
    const length = keyAndFlags >>> flagBits;
    if (length !== key.length) return false;
    const reference = fields[base + referenceField] as number;
    const buffer = this.#arena.buffer(reference);
    let at = this.#arena.offset(reference);
    if (keyAndFlags & wideFlag) return buffer.toString("utf16le", at, at + length * 2) === key;
    for (let index = 0; index < length; index++, at++) {
      if (buffer[at] !== key.charCodeAt(index)) return false;
    }
    return true;
  }

  /** The key of a slot, as a string of its own that holds on to nothing larger. */
  key(slot: number): string {
    const keyAndFlags = this.#get(slot, keyField);
    const reference = this.#get(slot, referenceField);
    const start = this.#arena.offset(reference);
    const buffer = this.#arena.buffer(reference);
    const end = start + keyBytes(keyAndFlags);
    return buffer.toString(keyAndFlags & wideFlag ? "utf16le" : "latin1", start, end);
  }

  #fields(slot: number): Int32Array {
    return (this.#chunks[slot >> chunkShift] as Chunk).fields;
  }

  #get(slot: number, field: number): number {
    return this.#fields(slot)[((slot & chunkMask) << fieldShift) + field] as number;
  }

  #set(slot: number, field: number, value: number): void {
    this.#fields(slot)[((slot & chunkMask) << fieldShift) + field] = value;
  }
}

/** What an entry whose key and value take `recordBytes` is charged. */
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
