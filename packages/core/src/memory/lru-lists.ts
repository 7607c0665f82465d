import { grownIntegers } from "./growing-integers.ts";

/*
 * LRU lists: doubly linked lists of slots in one typed array, with the more recent neighbour of slot s at
 * 2s and the less recent one at 2s + 1. Each list is a ring through a sentinel slot, so that moving an entry
 * to the front takes eight writes without a branch. Every cache hit does that.
 */

/** The sentinel slots, which name the lists and hold no entries. */
export const mainList = 0;
export const hotList = 1;
export type ListName = typeof mainList | typeof hotList;

const emptyLists = [mainList, mainList, hotList, hotList];

/** The order of use of the main and the hot list. */
export class LruLists {
  readonly #maxSlots: number;
  #links: Int32Array = Int32Array.of(...emptyLists, 0, 0, 0, 0);

  constructor(maxSlots: number) {
    this.#maxSlots = maxSlots;
  }

  /** Inserts a slot as the most recently used of a list. The slot must not be in a list. */
  add(slot: number, list: ListName): void {
    if (slot * 2 >= this.#links.length) this.#grow(slot * 2 + 2);
    const links = this.#links;
    const front = links[list * 2 + 1] as number;
    links[list * 2 + 1] = slot;
    links[slot * 2] = list;
    links[slot * 2 + 1] = front;
    links[front * 2] = slot;
  }

  remove(slot: number): void {
    const links = this.#links;
    const newer = links[slot * 2] as number;
    const older = links[slot * 2 + 1] as number;
    links[newer * 2 + 1] = older;
    links[older * 2] = newer;
  }

  /** Marks a slot of the list as the most recently used. */
  touch(slot: number, list: ListName): void {
    const links = this.#links;
    const front = links[list * 2 + 1] as number;
    if (front === slot) return;
    const newer = links[slot * 2] as number;
    const older = links[slot * 2 + 1] as number;
    links[newer * 2 + 1] = older;
    links[older * 2] = newer;
    links[list * 2 + 1] = slot;
    links[slot * 2] = list;
    links[slot * 2 + 1] = front;
    links[front * 2] = slot;
  }

  /** The least recently used slot, or the sentinel when the list is empty. */
  oldest(list: ListName): number {
    return this.#links[list * 2] as number;
  }

  /** The next less recent slot, or the sentinel after the last; from the sentinel, the most recent one. */
  older(slot: number): number {
    return this.#links[slot * 2 + 1] as number;
  }

  /** The next more recent slot, or the sentinel after the last. */
  newer(slot: number): number {
    return this.#links[slot * 2] as number;
  }

  clear(): void {
    this.#links.set(emptyLists);
  }

  #grow(length: number): void {
    this.#links = grownIntegers(this.#links, { length, maxLength: this.#maxSlots * 2 });
  }
}
