import type { CacheEntry } from "./cache-entry.ts";

/** The least number of dead entries for which a cleanup pays. */
const minGone = 1024;

/**
 * A binary heap of entries by expiry. An entry that is replaced or deleted stays in it until its time comes, or until
 * half of the heap is dead, so that the heap is at most twice as large as needed.
 */
export class ExpiryQueue {
  #heap: CacheEntry[] = [];
  #gone = 0;
  readonly #isLive: (entry: CacheEntry) => boolean;

  /** `isLive` returns whether the entry is still the one of its key. */
  constructor(isLive: (entry: CacheEntry) => boolean) {
    this.#isLive = isLive;
  }

  get size(): number {
    return this.#heap.length;
  }

  add(entry: CacheEntry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as CacheEntry;
      if (above.expiresAtMs <= entry.expiresAtMs) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Counts entries that were replaced or deleted. */
  forget(count: number): void {
    this.#gone += count;
    if (this.#gone < minGone || this.#gone * 2 < this.#heap.length) return;
    const live = this.#heap.filter(this.#isLive);
    // A sorted array is a valid heap.
    this.#heap = live.sort((left, right) => left.expiresAtMs - right.expiresAtMs);
    this.#gone = 0;
  }

  /** Removes and returns the next live entry that is due; undefined when there is none. */
  takeDue(nowMs: number): CacheEntry | undefined {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.expiresAtMs > nowMs) return undefined;
      this.#removeFirst();
      if (this.#isLive(next)) return next;
      this.#gone = Math.max(0, this.#gone - 1);
    }
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const moved = heap.pop();
    if (moved === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && right.expiresAtMs < left.expiresAtMs) child++;
      const smaller = heap[child] as CacheEntry;
      if (smaller.expiresAtMs >= moved.expiresAtMs) break;
      heap[at] = smaller;
      at = child;
    }
    heap[at] = moved;
  }
}
