/**
 * The invalidations this node has applied, newest per key, so that every later question about the
 * key can carry its fence to a node that may have missed it (ADR 0004). A fence is a random 53-bit
 * integer: only equality says anything, and the larger of two wins so that nodes converge.
 */
export class FenceTable {
  // Two generations instead of a queue: deleting the oldest key of a large Map is a scan.
  #recent: Map<string, number> = new Map();
  #older: Map<string, number> = new Map();
  readonly #generationSize: number;

  /** Remembers at least the last `generationSize` keys, at most twice as many. */
  constructor(generationSize = 8192) {
    this.#generationSize = generationSize;
  }

  /** The newest fence of the key, 0 for none. */
  get(key: string): number {
    if (this.#recent.size === 0) return 0;
    return this.#recent.get(key) ?? this.#older.get(key) ?? 0;
  }

  /** Takes note of a fence and returns the one that now stands for the key. */
  raise(key: string, fence: number): number {
    const standing = Math.max(fence, this.get(key));
    if (this.#recent.size >= this.#generationSize && !this.#recent.has(key)) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(key, standing);
    return standing;
  }
}

/** A fence for a new invalidation: a positive integer below 2^53. */
export function newFence(random: () => number): number {
  return 1 + Math.floor(random() * (Number.MAX_SAFE_INTEGER - 1));
}
