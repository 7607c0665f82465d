import { grownIntegers } from "./growing-integers.ts";
import { chainField, noSlot, type SlotTable } from "./slot-table.ts";

/** The field of a slot that holds its hash. */
export const hashField = 0;
const firstBuckets = 16;

/**
 * The buckets of a hash table of slots, chained through the slots. Grows by linear hashing: each insertion
 * splits one bucket, so that no insertion has to rehash everything.
 */
export class BucketTable {
  readonly #slots: SlotTable;
  readonly #maxSlots: number;
  #buckets: Int32Array = new Int32Array(firstBuckets);
  #mask: number = firstBuckets - 1;
  /** Buckets below this one are split already. */
  #split = 0;
  #items = 0;

  constructor(slots: SlotTable, maxSlots: number) {
    this.#slots = slots;
    this.#maxSlots = maxSlots;
  }

  /** The first slot in the bucket of a hash. */
  first(hash: number): number {
    return this.#buckets[this.#bucketOf(hash)] as number;
  }

  add(slot: number): void {
    this.#items++;
    if (this.#items > this.#mask + 1 + this.#split) this.#splitNext();
    this.#chain(slot, this.#bucketOf(this.#slots.get(slot, hashField)));
  }

  remove(slot: number): void {
    const slots = this.#slots;
    const bucket = this.#bucketOf(slots.get(slot, hashField));
    const following = slots.get(slot, chainField);
    this.#items--;
    let at = this.#buckets[bucket] as number;
    if (at === slot) {
      this.#buckets[bucket] = following;
      return;
    }
    while (slots.get(at, chainField) !== slot) at = slots.get(at, chainField);
    slots.set(at, chainField, following);
  }

  clear(): void {
    this.#buckets.fill(noSlot, 0, firstBuckets);
    this.#mask = firstBuckets - 1;
    this.#split = 0;
    this.#items = 0;
  }

  #bucketOf(hash: number): number {
    const bucket = hash & this.#mask;
    return bucket < this.#split ? hash & (2 * this.#mask + 1) : bucket;
  }

  #splitNext(): void {
    const added = this.#split + this.#mask + 1;
    if (added === this.#buckets.length) {
      const sizes = { length: added + 1, maxLength: this.#maxSlots };
      this.#buckets = grownIntegers(this.#buckets, sizes);
    }
    let slot = this.#buckets[this.#split] as number;
    this.#buckets[this.#split] = noSlot;
    this.#buckets[added] = noSlot;
    this.#split++;
    while (slot !== noSlot) {
      const following = this.#slots.get(slot, chainField);
      this.#chain(slot, this.#slots.get(slot, hashField) & (2 * this.#mask + 1));
      slot = following;
    }
    if (this.#split <= this.#mask) return;
    this.#mask = 2 * this.#mask + 1;
    this.#split = 0;
  }

  #chain(slot: number, bucket: number): void {
    this.#slots.set(slot, chainField, this.#buckets[bucket] as number);
    this.#buckets[bucket] = slot;
  }
}
