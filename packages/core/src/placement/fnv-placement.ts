import { keyToBytes } from "../key-bytes.ts";
import { createMd5 } from "./md5.ts";
import type { Placement } from "./placement.ts";

/** Points per node: the default of mailgun/groupcache and groupcache-go v3. */
const defaultPointsPerNode = 50;

/** The points of nodes on the ring, hashed once per node and kept while it is a member. */
export class FnvPoints {
  readonly #nameOf: (id: string) => string;
  readonly #pointsPerNode: number;
  readonly #md5: (text: string) => Uint32Array = createMd5();
  #points: Map<string, readonly bigint[]> = new Map();

  /** `nameOf` returns the text of a node that is hashed. */
  constructor(nameOf: (id: string) => string, pointsPerNode: number = defaultPointsPerNode) {
    this.#nameOf = nameOf;
    this.#pointsPerNode = pointsPerNode;
  }

  /** Hashes at most `limit` of the nodes. Returns whether all of them are hashed. */
  prepare(ids: readonly string[], limit: number): boolean {
    const missing = ids.filter((id) => !this.#points.has(id));
    for (const id of missing.slice(0, limit)) this.#points.set(id, this.#hash(this.#nameOf(id)));
    return missing.length <= limit;
  }

  /** Forgets all other nodes. */
  keep(ids: readonly string[]): void {
    this.prepare(ids, ids.length);
    this.#points = new Map(ids.map((id) => [id, this.of(id)]));
  }

  of(id: string): readonly bigint[] {
    return this.#points.get(id) ?? this.#hash(this.#nameOf(id));
  }

  #hash(name: string): readonly bigint[] {
    return Array.from({ length: this.#pointsPerNode }, (_, index) => {
      const [high, low] = orderedFnv1(Buffer.from(this.#hexMd5(`${index}${name}`), "latin1"));
      return (BigInt(high) << 32n) | BigInt(low);
    });
  }

  #hexMd5(text: string): string {
    const words = this.#md5(text);
    const bytes = Buffer.alloc(words.length * 4);
    for (const [index, word] of words.entries()) bytes.writeUInt32LE(word, index * 4);
    return bytes.toString("hex");
  }
}

/**
 * The hash ring of mailgun/groupcache and groupcache-go v3: node n has the points fnv1(md5("0" + n)) …
 * fnv1(md5("49" + n)), with the md5 in hex, and a key belongs to the first point at or after its own
 * 64-bit FNV-1, with wrap-around. Go compares the hashes as signed integers.
 */
export function createFnvPlacement(ids: readonly string[], points: FnvPoints): Placement {
  const ownerByPoint = new Map<bigint, string>();
  for (const id of ids) for (const point of points.of(id)) ownerByPoint.set(point, id);
  const ring = BigUint64Array.from(ownerByPoint.keys()).sort();
  const owners = Array.from(ring, (point) => ownerByPoint.get(point) as string);
  // As two halves, because a comparison of bigints per step would be slow.
  const highs = Uint32Array.from(ring, (point) => Number(point >> 32n));
  const lows = Uint32Array.from(ring, (point) => Number(point & 0xffffffffn));
  return {
    ownerOf(key) {
      const [high, low] = orderedFnv1(keyToBytes(key));
      let from = 0;
      let to = highs.length;
      while (from < to) {
        const middle = (from + to) >>> 1;
        const difference = (highs[middle] as number) - high || (lows[middle] as number) - low;
        if (difference < 0) from = middle + 1;
        else to = middle;
      }
      return owners[from === owners.length ? 0 : from] as string;
    },
  };
}

/**
 * FNV-1 with 64 bits (prime 2^40 + 0x1b3) as two unsigned halves. The sign bit is inverted, so that their
 * order is that of Go's signed integers.
 */
function orderedFnv1(bytes: Uint8Array): readonly [high: number, low: number] {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (const byte of bytes) {
    const product = low * 0x1b3;
    const carry = Math.floor(product / 2 ** 32);
    high = (high * 0x1b3 + carry + low * 256) >>> 0;
    low = (product ^ byte) >>> 0;
  }
  return [(high ^ 0x80000000) >>> 0, low];
}
