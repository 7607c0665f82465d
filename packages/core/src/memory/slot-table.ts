/*
 * Slots: records of eight 32-bit integers in typed arrays, identified by integers. The first chunk grows
 * from a small one, so that an almost empty table costs little; all others have their full size at once, so
 * that growing copies nothing and leaves no garbage.
 */

const chunkShift = 12;
const chunkSlots = 1 << chunkShift;
const chunkMask = chunkSlots - 1;
const fieldShift = 3;
const firstChunkSlots = 16;

/** Memory of a slot. */
export const slotBytes = 32;

/** "No slot", as the end of a chain. */
export const noSlot = 0;

/** The fields of a slot; the last two hold a 64-bit float instead. */
export type SlotField = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
/** The field that links a free slot to the next one, and a used slot as its user likes. */
export const chainField = 4;
const floatField = 3; // counted in floats

class Chunk {
  readonly integers: Int32Array;
  readonly floats: Float64Array;

  constructor(slots: number) {
    this.integers = new Int32Array(slots << fieldShift);
    this.floats = new Float64Array(this.integers.buffer);
  }
}

/** A growing table of slots. Slot numbers begin at `firstSlot`. */
export class SlotTable {
  readonly #firstSlot: number;
  readonly #chunks: Chunk[] = [new Chunk(firstChunkSlots)];
  #end: number;
  #free: number = noSlot;

  constructor(firstSlot: number) {
    this.#firstSlot = firstSlot;
    this.#end = firstSlot;
  }

  /** Slots that were used at some time, which take memory from then on. */
  get usedSlots(): number {
    return this.#end - this.#firstSlot;
  }

  take(): number {
    const slot = this.#free;
    if (slot !== noSlot) {
      this.#free = this.get(slot, chainField);
      return slot;
    }
    const capacity = ((this.#chunks.length - 1) << chunkShift) + this.#lastChunkSlots();
    if (this.#end === capacity) this.#grow();
    return this.#end++;
  }

  release(slot: number): void {
    this.set(slot, chainField, this.#free);
    this.#free = slot;
  }

  get(slot: number, field: SlotField): number {
    const { integers } = this.#chunks[slot >> chunkShift] as Chunk;
    return integers[((slot & chunkMask) << fieldShift) + field] as number;
  }

  set(slot: number, field: SlotField, value: number): void {
    const { integers } = this.#chunks[slot >> chunkShift] as Chunk;
    integers[((slot & chunkMask) << fieldShift) + field] = value;
  }

  float(slot: number): number {
    const { floats } = this.#chunks[slot >> chunkShift] as Chunk;
    return floats[((slot & chunkMask) << (fieldShift - 1)) + floatField] as number;
  }

  setFloat(slot: number, value: number): void {
    const { floats } = this.#chunks[slot >> chunkShift] as Chunk;
    floats[((slot & chunkMask) << (fieldShift - 1)) + floatField] = value;
  }

  /** Releases all slots, and keeps their memory for later ones. */
  clear(): void {
    this.#end = this.#firstSlot;
    this.#free = noSlot;
  }

  #lastChunkSlots(): number {
    const last = this.#chunks[this.#chunks.length - 1] as Chunk;
    return last.integers.length >> fieldShift;
  }

  #grow(): void {
    const slots = this.#lastChunkSlots();
    if (slots === chunkSlots) {
      this.#chunks.push(new Chunk(chunkSlots));
      return;
    }
    const grown = new Chunk(slots * 2);
    grown.integers.set((this.#chunks[0] as Chunk).integers);
    this.#chunks[0] = grown;
  }
}
