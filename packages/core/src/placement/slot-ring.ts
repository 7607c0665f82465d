import { createMd5 } from "./md5.ts";

/** Enough slots for even shares, and few enough to recompute in about 2 ms. */
export const slotCount = 4096;

/** The length of the ring divided by the number of slots: about one hash lies in each arc. */
const arc = 2 ** 32 / slotCount;

const hashesPerNode = 80;
const pointsPerHash = 4;

/**
 * The owners of the slots on the ring of npm `hashring` with MD5 and `"vnode count": 80`: ketama, 320 points per
 * node. Tests compare them with those of `hashring`; ADR 0013 explains why that is not a dependency. Hashing is
 * most of the work, so it is done once per node and kept while the node is a member.
 */
export class SlotRing {
  /** The hashes of the slots in ascending order, and the slot of each. */
  readonly #hashes: Float64Array;
  readonly #slots: Uint16Array;
  /** For each arc the number of hashes before it. */
  readonly #lowerGaps: Uint16Array = new Uint16Array(slotCount);
  readonly #md5: (text: string) => Uint32Array = createMd5();
  #points: Map<string, Uint32Array> = new Map();

  constructor() {
    const all = Array.from({ length: slotCount }, (_, slot) => ({
      slot,
      hash: this.#md5(`slot-${slot}`)[0] as number,
    }));
    all.sort((a, b) => a.hash - b.hash);
    this.#hashes = Float64Array.from(all, ({ hash }) => hash);
    this.#slots = Uint16Array.from(all, ({ slot }) => slot);
    for (let index = 0, below = 0; index < slotCount; index++) {
      while (below < slotCount && (this.#hashes[below] as number) < index * arc) below++;
      this.#lowerGaps[index] = below;
    }
  }

  /** Hashes at most `limit` of the nodes. Returns whether all of them are hashed. */
  prepare(nodes: readonly string[], limit: number): boolean {
    let left = limit;
    for (const node of nodes) {
      if (this.#points.has(node)) continue;
      if (left === 0) return false;
      left--;
      this.#points.set(node, this.#pointsOf(node));
    }
    return true;
  }

  /** Forgets all other nodes. */
  keep(nodes: readonly string[]): void {
    const kept = new Map<string, Uint32Array>();
    for (const node of nodes) {
      const points = this.#points.get(node);
      if (points !== undefined) kept.set(node, points);
    }
    this.#points = kept;
  }

  /** The owner of each slot. `nodes` must be distinct. The node listed first gets a point that two nodes share. */
  owners(nodes: readonly string[]): readonly string[] {
    this.prepare(nodes, nodes.length);
    const nearest = this.#nearestPoints(nodes);
    let owner = nearest.find((node) => node !== undefined) as string;
    const owners: string[] = new Array(slotCount);
    for (let index = slotCount - 1; index >= 0; index--) {
      owner = nearest[index + 1] ?? owner;
      owners[this.#slots[index] as number] = owner;
    }
    return owners;
  }

  /** For each gap between two hashes of slots, the node with the first point in it. A point on a hash lies after it. */
  #nearestPoints(nodes: readonly string[]): (string | undefined)[] {
    // As hashring computes it from weights: rounding leaves 79 hashes for 7 nodes.
    const hashes = Math.floor((1 / nodes.length) * hashesPerNode * nodes.length);
    const points = new Float64Array(slotCount + 1).fill(Number.POSITIVE_INFINITY);
    const nearest: (string | undefined)[] = new Array(slotCount + 1).fill(undefined);
    for (const node of nodes) {
      const all = this.#points.get(node) as Uint32Array;
      for (let index = 0; index < hashes * pointsPerHash; index++) {
        const point = all[index] as number;
        const gap = this.#gapOf(point);
        if (point >= (points[gap] as number)) continue;
        points[gap] = point;
        nearest[gap] = node;
      }
    }
    return nearest;
  }

  /** The number of slots whose hash is at most `point`. */
  #gapOf(point: number): number {
    const hashes = this.#hashes;
    let gap = this.#lowerGaps[Math.floor(point / arc)] as number;
    while (gap < slotCount && (hashes[gap] as number) <= point) gap++;
    return gap;
  }

  #pointsOf(node: string): Uint32Array {
    const points = new Uint32Array(hashesPerNode * pointsPerHash);
    for (let index = 0; index < hashesPerNode; index++) {
      points.set(this.#md5(`${node}-${index}`), index * pointsPerHash);
    }
    return points;
  }
}
