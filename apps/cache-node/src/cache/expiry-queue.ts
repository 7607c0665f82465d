import type { CacheEntry } from "./cache-entry.ts";

/** Below this many entries that are gone, tidying up is not worth its while. */
const minGone = 1024;

/**
 * Which entry expires next: a binary heap. An entry that is replaced or deleted stays in it until its time
 * comes, or until half of what is in there is gone, so the heap is never more than twice too large.
 */
export class ExpiryQueue {
  #heap: CacheEntry[] = [];
  #gone = 0;
  readonly #isLive: (entry: CacheEntry) => boolean;

  /** `isLive`: whether the entry is still the one that its key has. */
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

  /** Entries that were added have been replaced or deleted. */
  forget(count: number): void {
    this.#gone += count;
    if (this.#gone < minGone || this.#gone * 2 < this.#heap.length) return;
    const live = this.#heap.filter(this.#isLive);
    // A sorted array is a heap.
    this.#heap = live.sort((left, right) => left.expiresAtMs - right.expiresAtMs);
    this.#gone = 0;
  }

  /** Takes out the next entry that is live and due; undefined when there is none. */
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
