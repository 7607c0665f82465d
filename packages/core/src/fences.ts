/** Fences are integers from 1 up to here; 0 means "none". */
const fenceLimit = Number.MAX_SAFE_INTEGER;
/** Duplicates and late messages of so many invalidations of one key are recognised. */
const rememberedPerKey = 8;

interface KeyFences {
  /** Stands for every invalidation of the key applied here: what a lookup carries. */
  standing: number;
  /** Newest last: single fences, and sums of them that this node or another stands at. */
  known: number[];
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

  /** Whether this node has applied what an asker stands at. */
  knows(key: string, fence: number): boolean {
    if (fence === 0) return true;
    return this.#find(key)?.known.includes(fence) ?? false;
  }

  /** Takes note of an invalidation, or of what an asker stands at, that has been applied here. */
  add(key: string, fence: number): void {
    if (this.knows(key, fence)) return;
    const fences = this.#entry(key);
    fences.standing = fences.standing === 0 ? fence : sum(fences.standing, fence);
    fences.known.push(fence);
    if (fences.standing !== fence) fences.known.push(fences.standing);
    if (fences.known.length > rememberedPerKey) {
      fences.known = fences.known.slice(-rememberedPerKey);
    }
  }

  /** Takes over what an owner stands at, which covers what it was asked with. */
  adopt(key: string, fence: number): void {
    if (fence === 0 || fence === this.get(key)) return;
    const fences = this.#entry(key);
    fences.standing = fence;
    fences.known = [...fences.known, fence].slice(-rememberedPerKey);
  }

  #find(key: string): KeyFences | undefined {
    return this.#recent.get(key) ?? this.#older.get(key);
  }

  #entry(key: string): KeyFences {
    const entry = this.#find(key) ?? { standing: 0, known: [] };
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

/** Addition around a ring of `fenceLimit` numbers, exact in doubles. Never 0. */
function sum(a: number, b: number): number {
  const untilLimit = fenceLimit - b;
  return a > untilLimit ? a - untilLimit : a + b;
}
