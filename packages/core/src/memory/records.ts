import type { Arena } from "./arena.ts";
import type { SlotTable } from "./slot-table.ts";

/** The field of a slot that holds the reference of its record. */
const referenceField = 1;
/** The JavaScript array that lists the blocks of a long record. */
const blockListBytes = 96;

/** The users of an arena; the arena keeps one with each block. */
export const recordsOfEntries = 0;
export const recordsOfTags = 1;
type RecordsUser = typeof recordsOfEntries | typeof recordsOfTags;

/** What {@link Records} needs. */
export interface RecordsParts {
  readonly arena: Arena;
  readonly slots: SlotTable;
  readonly user: RecordsUser;
  /** Called before each block is allocated. May move and free blocks of other records. */
  readonly makeRoom: (payload: number) => void;
}

/**
 * The records of the slots of one table: each in one block of the arena, or, if it is longer than the
 * largest block, in several. Long records are not contiguous, so that memory never has to be found for them.
 */
export class Records {
  readonly #arena: Arena;
  readonly #slots: SlotTable;
  readonly #user: RecordsUser;
  readonly #makeRoom: (payload: number) => void;
  /** The blocks of long records. The reference of the record at index i is -1 - i. */
  #long: (number[] | undefined)[] = [];
  #freeLong: number[] = [];

  constructor(parts: RecordsParts) {
    this.#arena = parts.arena;
    this.#slots = parts.slots;
    this.#user = parts.user;
    this.#makeRoom = parts.makeRoom;
  }

  /** Memory that a record of `bytes` takes. */
  footprint(bytes: number): number {
    const { largestPayload } = this.#arena;
    if (bytes <= largestPayload) return this.#arena.blockBytes(bytes);
    const full = Math.floor(bytes / largestPayload);
    const rest = bytes - full * largestPayload;
    const tail = rest === 0 ? 0 : this.#arena.blockBytes(rest);
    return full * (this.#arena.blockBytes(largestPayload) + 8) + tail + blockListBytes;
  }

  /** Allocates the record of a slot. Its content is undefined until it is written. */
  allocate(slot: number, bytes: number): void {
    const { largestPayload } = this.#arena;
    const owner = slot * 2 + this.#user;
    if (bytes <= largestPayload) {
      this.#makeRoom(bytes);
      this.#slots.set(slot, referenceField, this.#arena.allocate(bytes, owner));
      return;
    }
    const blocks: number[] = [];
    const index = this.#freeLong.pop() ?? this.#long.length;
    this.#long[index] = blocks;
    this.#slots.set(slot, referenceField, -1 - index);
    for (let rest = bytes; rest > 0; rest -= largestPayload) {
      const payload = Math.min(rest, largestPayload);
      this.#makeRoom(payload);
      blocks.push(this.#arena.allocate(payload, owner));
    }
  }

  free(slot: number): void {
    const reference = this.#slots.get(slot, referenceField);
    if (reference >= 0) {
      this.#arena.free(reference);
      return;
    }
    const index = -1 - reference;
    for (const block of this.#long[index] as number[]) this.#arena.free(block);
    this.#long[index] = undefined;
    this.#freeLong.push(index);
  }

  /** Notes that the arena has moved a block of the slot's record. */
  moved(slot: number, from: number, to: number): void {
    const reference = this.#slots.get(slot, referenceField);
    if (reference >= 0) {
      this.#slots.set(slot, referenceField, to);
      return;
    }
    const blocks = this.#long[-1 - reference] as number[];
    blocks[blocks.indexOf(from)] = to;
  }

  /** The first block of the record, which holds its first `largestPayload` bytes. */
  firstBlock(slot: number): number {
    const reference = this.#slots.get(slot, referenceField);
    return reference >= 0 ? reference : ((this.#long[-1 - reference] as number[])[0] as number);
  }

  /** Whether {@link read} returns a copy. */
  isLong(slot: number): boolean {
    return this.#slots.get(slot, referenceField) < 0;
  }

  /** A part of the record: a view that is valid until the next change of the arena, or a copy if the record is long. */
  read(slot: number, start: number, length: number): Buffer {
    const reference = this.#slots.get(slot, referenceField);
    if (reference >= 0) {
      const at = this.#arena.offset(reference) + start;
      return this.#arena.buffer(reference).subarray(at, at + length);
    }
    const copy = Buffer.allocUnsafeSlow(length);
    this.#eachPart(slot, { start, length }, (memory, at, done) => {
      copy.set(memory.subarray(at.start, at.end), done);
    });
    return copy;
  }

  write(slot: number, start: number, bytes: Uint8Array): void {
    const reference = this.#slots.get(slot, referenceField);
    if (reference >= 0) {
      this.#arena.buffer(reference).set(bytes, this.#arena.offset(reference) + start);
      return;
    }
    this.#eachPart(slot, { start, length: bytes.length }, (memory, at, done) => {
      memory.set(bytes.subarray(done, done + at.end - at.start), at.start);
    });
  }

  clear(): void {
    this.#long = [];
    this.#freeLong = [];
  }

  #eachPart(
    slot: number,
    range: { readonly start: number; readonly length: number },
    visit: (
      memory: Buffer,
      at: { readonly start: number; readonly end: number },
      done: number,
    ) => void,
  ): void {
    const { largestPayload } = this.#arena;
    const blocks = this.#long[-1 - this.#slots.get(slot, referenceField)] as number[];
    for (let done = 0; done < range.length; ) {
      const at = range.start + done;
      const block = blocks[Math.floor(at / largestPayload)] as number;
      const inBlock = at % largestPayload;
      const part = Math.min(largestPayload - inBlock, range.length - done);
      const start = this.#arena.offset(block) + inBlock;
      visit(this.#arena.buffer(block), { start, end: start + part }, done);
      done += part;
    }
  }
}
