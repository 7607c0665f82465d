/** Fences are integers from 1 up to here; 0 means "none". */
const fenceLimit = Number.MAX_SAFE_INTEGER;
/** So many of the newest fences of a key are kept apart: what may still be on its way to some node. */
const keptApart = 6;

interface KeyFences {
  /** What this node stands at: the sum of everything it has applied. */
  standing: number;
  /** The part of it that is older than `recent`. */
  older: number;
  /** The newest fences, oldest first. */
  recent: number[];
}

/**
 * The invalidations this node has applied, per key, so that every later question about the key can
 * carry them to a node that may have missed one (ADR 0004). They are summed: two nodes that have
 * applied the same ones stand at the same number, in whatever order they came.
 */
export class FenceTable {
  // Two generations instead of a queue: deleting the oldest key of a large Map is a scan.
  #recent: Map<string, KeyFences> = new Map();
  #older: Map<string, KeyFences> = new Map();
  readonly #generationSize: number;

  /** Remembers at least the last `generationSize` keys, at most twice as many. */
  constructor(generationSize = 8192) {
    this.#generationSize = generationSize;
  }

  /** What a lookup of the key must carry, 0 for nothing. */
  get(key: string): number {
    if (this.#recent.size === 0) return 0;
    return this.#find(key)?.standing ?? 0;
  }

  /**
   * Whether this node has applied all that an asker stands at: some of the newest fences, with or
   * without the older ones. One still waits for the rest, the other has forgotten what was before.
   */
  knows(key: string, fence: number): boolean {
    if (fence === 0) return true;
    const fences = this.#find(key);
    if (fences === undefined) return false;
    if (fence === fences.standing) return true;
    const { older, recent } = fences;
    for (let some = 0; some < 1 << recent.length; some++) {
      let total = 0;
      for (let index = 0; index < recent.length; index++) {
        if (some & (1 << index)) total = sum(total, recent[index] as number);
      }
      if (fence === total || (older !== 0 && fence === sum(total, older))) return true;
    }
    return false;
  }

  /** Whether this very invalidation has been applied, as far as is remembered. */
  has(key: string, fence: number): boolean {
    return this.#find(key)?.recent.includes(fence) === true;
  }

  /** Takes note of an invalidation, or of what an asker stands at, that has been applied here. */
  add(key: string, fence: number): void {
    const fences = this.#entry(key);
    if (fences.recent.includes(fence)) return;
    fences.standing = sum(fences.standing, fence);
    fences.recent.push(fence);
    if (fences.recent.length > keptApart) {
      fences.older = sum(fences.older, fences.recent.shift() as number);
    }
  }

  /** Takes over what an owner stands at, which covers what it was asked with. */
  adopt(key: string, fence: number): void {
    if (fence === 0 || fence === this.get(key)) return;
    const fences = this.#entry(key);
    fences.standing = fence;
    fences.older = fence;
    fences.recent = [];
  }

  #find(key: string): KeyFences | undefined {
    return this.#recent.get(key) ?? this.#older.get(key);
  }

  #entry(key: string): KeyFences {
    const entry = this.#find(key) ?? { standing: 0, older: 0, recent: [] };
    if (this.#recent.size >= this.#generationSize && !this.#recent.has(key)) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(key, entry);
    return entry;
  }
}

/** A fence for a new invalidation. */
export function newFence(random: () => number): number {
  return 1 + Math.floor(random() * (fenceLimit - 1));
}

/** Addition around a ring of `fenceLimit` numbers, exact in doubles; 0 is neutral and never the sum of others. */
function sum(a: number, b: number): number {
  if (a === 0) return b;
  if (b === 0) return a;
  const untilLimit = fenceLimit - b;
  return a > untilLimit ? a - untilLimit : a + b;
}
