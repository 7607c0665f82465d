/** Fences are integers from 1 to this limit; 0 means "none". */
const fenceLimit = Number.MAX_SAFE_INTEGER;
/** The newest fences of a key, kept separately because they may still be on their way to some node. */
const maxSeparateFences = 6;
/** Estimated heap of a key's fences without the key: map entry, object, array, two numbers beyond 31 bits. */
const fenceBytes = 200;
/** Below this size of a generation, few keys would be remembered. */
const minGenerationBytes = 16 * 1024;

/** Bounds of a {@link FenceTable}, and its time. */
export interface FenceTableOptions {
  /** The number of keys of one generation. Defaults to 8,192. */
  readonly generationKeys?: number;
  /** The budget of the group. A generation takes at most 1/32 of it, or 16 KiB. Defaults to no bound. */
  readonly maxBytes?: number;
  /** The time in milliseconds. Defaults to 0 always. */
  readonly now?: () => number;
}

interface KeyFences {
  /** The combined fence: the sum of all fences applied to the key. */
  combined: number;
  /** The sum of the fences that are older than `recent`. */
  older: number;
  /** The newest fences, oldest first. */
  recent: number[];
}

/**
 * The fences of the invalidations that this node has applied, per key. Every later lookup of the key
 * carries their sum, the combined fence, to a node that may have missed one (ADR 0004). Two nodes that
 * applied the same invalidations have the same combined fence, in whatever order they arrived.
 */
export class FenceTable {
  // Two generations instead of a queue, because deleting the oldest key of a large Map scans it.
  #recent: Map<string, KeyFences> = new Map();
  #older: Map<string, KeyFences> = new Map();
  readonly #generationKeys: number;
  readonly #generationBytes: number;
  readonly #now: () => number;
  /** Bytes of `recent`. */
  #recentBytes = 0;
  /** When the newest fence of `older` was added. */
  #olderUntil = Number.NEGATIVE_INFINITY;
  #forgottenUntil = Number.NEGATIVE_INFINITY;

  /** Remembers at least the last keys that fit into one generation, at most those of two. */
  constructor(options: FenceTableOptions = {}) {
    const { generationKeys = 8192, maxBytes = Number.POSITIVE_INFINITY, now = () => 0 } = options;
    this.#generationKeys = generationKeys;
    this.#generationBytes = Math.max(minGenerationBytes, maxBytes / 32);
    this.#now = now;
  }

  /** All fences added after this time are remembered. */
  get forgottenUntil(): number {
    return this.#forgottenUntil;
  }

  /** The combined fence that a lookup of the key carries; 0 for none. */
  get(key: string): number {
    if (this.#recent.size === 0) return 0;
    return this.#find(key)?.combined ?? 0;
  }

  /**
   * Whether this node has applied everything in a requester's combined fence: any subset of the newest
   * fences, with or without the older ones. The requester may still wait for some, or have dropped the old ones.
   */
  knows(key: string, fence: number): boolean {
    if (fence === 0) return true;
    const fences = this.#find(key);
    if (fences === undefined) return false;
    if (fence === fences.combined) return true;
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

  /** Whether the invalidation with this fence is among the newest ones applied to the key. */
  has(key: string, fence: number): boolean {
    return this.#find(key)?.recent.includes(fence) === true;
  }

  /** Adds the fence of an invalidation applied here, or the combined fence of a requester. */
  add(key: string, fence: number): void {
    const fences = this.#entry(key);
    if (fences.recent.includes(fence)) return;
    fences.combined = sum(fences.combined, fence);
    fences.recent.push(fence);
    if (fences.recent.length > maxSeparateFences) {
      fences.older = sum(fences.older, fences.recent.shift() as number);
    }
  }

  /** Replaces the combined fence by an owner's, which includes the one that the lookup carried. */
  adopt(key: string, fence: number): void {
    if (fence === 0 || fence === this.get(key)) return;
    const fences = this.#entry(key);
    fences.combined = fence;
    fences.older = fence;
    fences.recent = [];
  }

  #find(key: string): KeyFences | undefined {
    return this.#recent.get(key) ?? this.#older.get(key);
  }

  #entry(key: string): KeyFences {
    const found = this.#recent.get(key);
    if (found !== undefined) return found;
    const entry = this.#older.get(key) ?? { combined: 0, older: 0, recent: [] };
    const bytes = fenceBytes + 2 * key.length;
    const isFull = this.#recentBytes + bytes > this.#generationBytes;
    if (this.#recent.size >= this.#generationKeys || (isFull && this.#recent.size > 0)) {
      if (this.#older.size > 0) this.#forgottenUntil = this.#olderUntil;
      this.#olderUntil = this.#now();
      this.#older = this.#recent;
      this.#recent = new Map();
      this.#recentBytes = 0;
    }
    this.#recentBytes += bytes;
    this.#recent.set(key, entry);
    return entry;
  }
}

/** A random fence for a new invalidation. */
export function newFence(random: () => number): number {
  return 1 + Math.floor(random() * (fenceLimit - 1));
}

/** Addition modulo `fenceLimit`, exact in doubles. 0 is neutral and never the sum of two fences. */
function sum(a: number, b: number): number {
  if (a === 0) return b;
  if (b === 0) return a;
  const untilLimit = fenceLimit - b;
  return a > untilLimit ? a - untilLimit : a + b;
}
