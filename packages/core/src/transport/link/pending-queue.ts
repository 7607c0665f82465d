import type { ParsecError } from "../../errors.ts";
import type { PendingLookup } from "./pending-lookup.ts";

/** Lookups that wait for a frame to carry them, in the order they came. */
export class PendingQueue {
  #items: PendingLookup[] = [];
  #head = 0;

  /** How many there are, counting those that gave up since the last look. */
  get size(): number {
    return this.#items.length - this.#head;
  }

  push(pending: PendingLookup): void {
    this.#items.push(pending);
  }

  /**
   * Hands the lookups to `take`, which returns how far it came: the index of the first it left. Stops
   * when none are left.
   */
  take(take: (items: readonly PendingLookup[], start: number) => number): void {
    this.#head = take(this.#items, this.#head);
    if (this.#head < this.#items.length) return;
    this.#items = [];
    this.#head = 0;
  }

  /** Empties the queue and returns what was in it. */
  takeAll(): readonly PendingLookup[] {
    const all = this.#items.slice(this.#head);
    this.#items = [];
    this.#head = 0;
    return all;
  }

  dropSettled(): void {
    this.#items = this.takeAll().filter((pending) => !pending.settled);
  }

  /** Rejects what is due by `now` and returns when the next one is. */
  expire(now: number, late: () => ParsecError): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (let index = this.#head; index < this.#items.length; index++) {
      const pending = this.#items[index] as PendingLookup;
      if (pending.deadline <= now) pending.reject(late());
      else earliest = Math.min(earliest, pending.deadline);
    }
    this.dropSettled();
    return earliest;
  }
}
