import { hashKey } from "../../key-hash.ts";

/** A worker that takes part in placement. */
interface Placed {
  readonly id: string;
}

/** The workers that answer for keys, with this process: a key belongs to the one with the highest hash of both (rendezvous). */
export class WorkerSet<W extends Placed> {
  readonly #ownSeed: number;
  readonly #ownId: string;
  #placed: readonly { readonly worker: W; readonly seed: number }[] = [];

  constructor(ownId: string) {
    this.#ownId = ownId;
    this.#ownSeed = hashKey(ownId);
  }

  /** Whether this process is the only one. */
  get isEmpty(): boolean {
    return this.#placed.length === 0;
  }

  add(worker: W): void {
    this.remove(worker);
    this.#placed = [...this.#placed, { worker, seed: hashKey(worker.id) }];
  }

  remove(worker: W): void {
    this.#placed = this.#placed.filter((placed) => placed.worker !== worker);
  }

  /**
   * The worker that answers for a key; undefined for this process. `without` is left out: a worker's id, or
   * the id of this process.
   */
  ownerOf(key: string, without?: string): W | undefined {
    const hash = hashKey(key);
    let best = without === this.#ownId ? Number.NEGATIVE_INFINITY : mixed(hash, this.#ownSeed);
    let bestId = this.#ownId;
    let owner: W | undefined;
    for (const { worker, seed } of this.#placed) {
      if (worker.id === without) continue;
      const score = mixed(hash, seed);
      if (score < best || (score === best && worker.id < bestId)) continue;
      best = score;
      bestId = worker.id;
      owner = worker;
    }
    return owner;
  }
}

/** The finalizer of MurmurHash3 over both numbers. */
function mixed(hash: number, seed: number): number {
  let value = hash ^ Math.imul(seed, 0x9e3779b1);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}
