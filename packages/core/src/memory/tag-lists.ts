import { grownIntegers } from "./growing-integers.ts";
import { KeyTable, type KeyTableParts, keyOverheadBytes, storedKeyBytes } from "./key-table.ts";
import { recordsOfTags } from "./records.ts";
import { noSlot, SlotTable, slotBytes } from "./slot-table.ts";

// The fields of a node, which stands for one tag of one entry.
const entryField = 0;
const tagField = 1;
const nextOfTagField = 2;
const previousOfTagField = 3;
const nextOfEntryField = 4;

// The fields of a tag that the table of keys leaves free.
const countField = 3;
const firstNodeField = 5;
const doomedField = 6;

/** What {@link TagLists} needs. */
export type TagListsParts = Omit<KeyTableParts, "user" | "firstSlot">;

/**
 * The tags of entries, in the same memory as the entries: a table of the tags, and for each tag a doubly
 * linked list of nodes, one for each entry that carries it. Entries are identified by their slots.
 */
export class TagLists {
  readonly #maxSlots: number;
  readonly #tags: KeyTable;
  readonly #nodes: SlotTable = new SlotTable(1);
  /** The first node of each entry. Stays short while no entries have tags. */
  #firstNodes: Int32Array = new Int32Array(1);
  #tagBytes = 0;
  /** Tags whose entries are still to be removed. New entries with the same tag get another slot for it. */
  #doomed: number[] = [];

  constructor(parts: TagListsParts) {
    this.#maxSlots = parts.maxSlots;
    this.#tags = new KeyTable({ ...parts, user: recordsOfTags, firstSlot: 1 });
  }

  /** Charged bytes of the tags themselves; the nodes are charged to the entries. */
  get tagBytes(): number {
    return this.#tagBytes;
  }

  /** Memory beside the arena. */
  get bytes(): number {
    return this.#tags.bytes + this.#nodes.usedSlots * slotBytes + this.#firstNodes.length * 4;
  }

  /** Bytes that are charged to an entry for its tags. */
  entryBytes(entry: number): number {
    let bytes = 0;
    let node = this.#firstNode(entry);
    for (; node !== noSlot; node = this.#nodes.get(node, nextOfEntryField)) bytes += slotBytes;
    return bytes;
  }

  /** Charge of these tags if no other entry carries them. */
  ownBytes(tags: readonly string[]): number {
    return tags.reduce((bytes, tag) => bytes + this.#chargeOf(tag), 0);
  }

  /** By how much {@link tagBytes} grows when an entry with these tags is added. */
  addedBytes(tags: readonly string[]): number {
    let bytes = 0;
    for (const tag of tags) if (this.#find(tag) === noSlot) bytes += this.#chargeOf(tag);
    return bytes;
  }

  /** Sets the tags of an entry that has none. They must be different. */
  add(entry: number, tags: readonly string[]): void {
    if (tags.length === 0) return;
    if (entry >= this.#firstNodes.length) {
      const sizes = { length: entry + 1, maxLength: this.#maxSlots };
      this.#firstNodes = grownIntegers(this.#firstNodes, sizes);
    }
    // Backwards, because each tag becomes the first of the entry.
    for (let index = tags.length - 1; index >= 0; index--) {
      this.#addNode(entry, this.#slotOf(tags[index] as string));
    }
  }

  /** Removes the tags of an entry. */
  remove(entry: number): void {
    let node = this.#firstNode(entry);
    if (node === noSlot) return;
    this.#firstNodes[entry] = noSlot;
    while (node !== noSlot) {
      const following = this.#nodes.get(node, nextOfEntryField);
      this.#removeNode(node);
      node = following;
    }
  }

  /** The tags of an entry. */
  of(entry: number): string[] {
    const tags: string[] = [];
    let node = this.#firstNode(entry);
    for (; node !== noSlot; node = this.#nodes.get(node, nextOfEntryField)) {
      tags.push(this.#tags.key(this.#nodes.get(node, tagField)));
    }
    return tags;
  }

  /** Whether the entry carries a tag that was doomed after it was added. */
  isDoomed(entry: number): boolean {
    let node = this.#firstNode(entry);
    for (; node !== noSlot; node = this.#nodes.get(node, nextOfEntryField)) {
      if (this.#tags.slots.get(this.#nodes.get(node, tagField), doomedField) !== 0) return true;
    }
    return false;
  }

  /** Dooms all entries that carry the tag now. Returns their number. */
  doom(tag: string): number {
    const slot = this.#find(tag);
    if (slot === noSlot) return 0;
    this.#tags.hide(slot);
    this.#tags.slots.set(slot, doomedField, 1);
    this.#doomed.push(slot);
    return this.#tags.slots.get(slot, countField);
  }

  /** An entry to remove because of a doomed tag, or `noSlot`. */
  nextDoomed(): number {
    const slot = this.#doomed[this.#doomed.length - 1];
    if (slot === undefined) return noSlot;
    return this.#nodes.get(this.#tags.slots.get(slot, firstNodeField), entryField);
  }

  /** Notes that the arena has moved a block of a tag. */
  moved(slot: number, from: number, to: number): void {
    this.#tags.records.moved(slot, from, to);
  }

  clear(): void {
    this.#tags.clear();
    this.#nodes.clear();
    this.#firstNodes = new Int32Array(1);
    this.#tagBytes = 0;
    this.#doomed = [];
  }

  #find(tag: string): number {
    return this.#tags.find(tag, this.#tags.hashOf(tag));
  }

  #firstNode(entry: number): number {
    return entry < this.#firstNodes.length ? (this.#firstNodes[entry] as number) : noSlot;
  }

  #chargeOf(tag: string): number {
    return keyOverheadBytes + this.#tags.records.footprint(storedKeyBytes(tag));
  }

  /** The slot of a tag, which is added if it is new. */
  #slotOf(tag: string): number {
    const hash = this.#tags.hashOf(tag);
    const found = this.#tags.find(tag, hash);
    if (found !== noSlot) return found;
    const slot = this.#tags.add(tag, { hash, valueBytes: 0 });
    this.#tags.slots.set(slot, countField, 0);
    this.#tags.slots.set(slot, firstNodeField, noSlot);
    this.#tags.slots.set(slot, doomedField, 0);
    this.#tagBytes += this.#chargeOf(tag);
    return slot;
  }

  #addNode(entry: number, tag: number): void {
    const nodes = this.#nodes;
    const { slots } = this.#tags;
    const node = nodes.take();
    const next = slots.get(tag, firstNodeField);
    nodes.set(node, entryField, entry);
    nodes.set(node, tagField, tag);
    nodes.set(node, previousOfTagField, noSlot);
    nodes.set(node, nextOfTagField, next);
    nodes.set(node, nextOfEntryField, this.#firstNode(entry));
    this.#firstNodes[entry] = node;
    if (next !== noSlot) nodes.set(next, previousOfTagField, node);
    slots.set(tag, firstNodeField, node);
    slots.set(tag, countField, slots.get(tag, countField) + 1);
  }

  #removeNode(node: number): void {
    const nodes = this.#nodes;
    const { slots } = this.#tags;
    const tag = nodes.get(node, tagField);
    const next = nodes.get(node, nextOfTagField);
    const previous = nodes.get(node, previousOfTagField);
    if (next !== noSlot) nodes.set(next, previousOfTagField, previous);
    if (previous !== noSlot) nodes.set(previous, nextOfTagField, next);
    else slots.set(tag, firstNodeField, next);
    nodes.release(node);
    const count = slots.get(tag, countField) - 1;
    slots.set(tag, countField, count);
    if (count === 0) this.#removeTag(tag);
  }

  #removeTag(slot: number): void {
    this.#tagBytes -= keyOverheadBytes + this.#tags.records.footprint(this.#tags.keyBytes(slot));
    if (this.#tags.slots.get(slot, doomedField) === 0) this.#tags.hide(slot);
    else this.#doomed.splice(this.#doomed.indexOf(slot), 1);
    this.#tags.release(slot);
  }
}
