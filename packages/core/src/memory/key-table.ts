import type { SeededHash } from "../seeded-hash.ts";
import type { Arena } from "./arena.ts";
import { BucketTable, hashField } from "./bucket-table.ts";
import { Records, type RecordsParts } from "./records.ts";
import { chainField, noSlot, SlotTable } from "./slot-table.ts";

/** The field of a slot that holds the length of its key in characters, shifted left, and flags. */
const keyField = 2;
const wideFlag = 1; // the key has characters above U+00FF and is kept in two bytes each
/** Flags for the user of the table. */
export const firstFlag = 2;
export const secondFlag = 4;
export const thirdFlag = 8;
const flagBits = 4;

/** Memory of a key in this table beside its record: its slot and at most two buckets. */
export const keyOverheadBytes = 40;

/** What {@link KeyTable} needs. */
export interface KeyTableParts extends Omit<RecordsParts, "slots"> {
  /** Slots from here on are used for keys. */
  readonly firstSlot: number;
  readonly maxSlots: number;
  readonly hash: SeededHash;
}

/**
 * A hash table of slots by keys. A key lies at the beginning of its slot's record in the arena. The slot's
 * fields 3, 5, 6 and 7 are free for the user.
 */
export class KeyTable {
  readonly slots: SlotTable;
  readonly records: Records;
  readonly #arena: Arena;
  readonly #buckets: BucketTable;
  readonly #hash: SeededHash;

  constructor(parts: KeyTableParts) {
    this.#arena = parts.arena;
    this.#hash = parts.hash;
    this.slots = new SlotTable(parts.firstSlot);
    this.records = new Records({ ...parts, slots: this.slots });
    this.#buckets = new BucketTable(this.slots, parts.maxSlots);
  }

  /** Memory beside the records. */
  get bytes(): number {
    return this.slots.usedSlots * keyOverheadBytes;
  }

  hashOf(key: string): number {
    return this.#hash.of(key);
  }

  /** The slot of a key, `noSlot` when there is none. */
  find(key: string, hash: number): number {
    const { slots } = this;
    let slot = this.#buckets.first(hash);
    while (slot !== noSlot) {
      if (slots.get(slot, hashField) === hash && this.#keyEquals(slot, key)) return slot;
      slot = slots.get(slot, chainField);
    }
    return noSlot;
  }

  /** Adds a key that is not in the table, with `valueBytes` after it in its record. Returns its slot. */
  add(
    key: string,
    { hash, valueBytes }: { readonly hash: number; readonly valueBytes: number },
  ): number {
    const { records, slots } = this;
    const wide = isWide(key);
    const keyBytes = wide ? key.length * 2 : key.length;
    const slot = slots.take();
    slots.set(slot, hashField, hash);
    slots.set(slot, keyField, (key.length << flagBits) | (wide ? wideFlag : 0));
    records.allocate(slot, keyBytes + valueBytes);
    const encoding = wide ? "utf16le" : "latin1";
    if (records.isLong(slot)) records.write(slot, 0, Buffer.from(key, encoding));
    else {
      const block = records.firstBlock(slot);
      this.#arena.buffer(block).write(key, this.#arena.offset(block), keyBytes, encoding);
    }
    this.#buckets.add(slot);
    return slot;
  }

  /** Takes a key out of the table, and keeps its slot and record until {@link release}. */
  hide(slot: number): void {
    this.#buckets.remove(slot);
  }

  /** Frees the slot and the record of a hidden key. */
  release(slot: number): void {
    this.records.free(slot);
    this.slots.release(slot);
  }

  /** The key of a slot, as a new string that retains no other memory. */
  key(slot: number): string {
    const encoding = this.hasFlag(slot, wideFlag) ? "utf16le" : "latin1";
    return this.records.read(slot, 0, this.keyBytes(slot)).toString(encoding);
  }

  /** Bytes of the key in its record. */
  keyBytes(slot: number): number {
    const keyAndFlags = this.slots.get(slot, keyField);
    const length = keyAndFlags >>> flagBits;
    return keyAndFlags & wideFlag ? length * 2 : length;
  }

  hasFlag(slot: number, flag: number): boolean {
    return (this.slots.get(slot, keyField) & flag) !== 0;
  }

  setFlag(slot: number, flag: number, on: boolean): void {
    const keyAndFlags = this.slots.get(slot, keyField);
    this.slots.set(slot, keyField, on ? keyAndFlags | flag : keyAndFlags & ~flag);
  }

  /** Removes everything. The records' memory must be freed by the arena. */
  clear(): void {
    this.#buckets.clear();
    this.slots.clear();
    this.records.clear();
  }

  #keyEquals(slot: number, key: string): boolean {
    const keyAndFlags = this.slots.get(slot, keyField);
    const { length } = key;
    if (keyAndFlags >>> flagBits !== length) return false;
    if (keyAndFlags & wideFlag || length > this.#arena.largestPayload)
      return this.key(slot) === key;
    const block = this.records.firstBlock(slot);
    const buffer = this.#arena.buffer(block);
    let at = this.#arena.offset(block);
    for (let index = 0; index < length; index++, at++) {
      if (buffer[at] !== key.charCodeAt(index)) return false;
    }
    return true;
  }
}

/** Bytes that a key takes in a record. */
export function storedKeyBytes(key: string): number {
  return isWide(key) ? key.length * 2 : key.length;
}

function isWide(key: string): boolean {
  for (let index = 0; index < key.length; index++) {
    if (key.charCodeAt(index) > 0xff) return true;
  }
  return false;
}
