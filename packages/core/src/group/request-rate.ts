import type { NodeClock } from "../clock.ts";

const mostCells = 4096;
const fewestCells = 256;
const periodMs = 30_000;
/** A budget of this size per cell is large for the keys that share it. */
const bytesPerCell = 256;

/**
 * Estimates the request rate of keys over the last minute in fixed memory: a count-min sketch with two
 * rows of counters for the current half minute and two for the previous one. Collisions can only
 * overestimate a rate.
 */
export class RequestRate {
  readonly #clock: NodeClock;
  readonly #cells: number;
  // Without memory until the first request, because a node without peers counts none.
  #current: Uint32Array = new Uint32Array(0);
  #previous: Uint32Array = new Uint32Array(0);
  #periodStart: number;

  /** `maxBytes` is the budget of the group: a small one has few keys, and needs few counters. */
  constructor(clock: NodeClock, maxBytes: number) {
    this.#clock = clock;
    const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, maxBytes / bytesPerCell)));
    this.#cells = Math.max(fewestCells, Math.min(mostCells, wanted));
    this.#periodStart = clock.recent();
  }

  /** Counts one request of the key with this hash. Returns the key's requests per minute. */
  count(hash: number): number {
    const age = this.#clock.recent() - this.#periodStart;
    const cells = this.#cells;
    if (this.#current.length === 0) {
      this.#current = new Uint32Array(2 * cells);
      this.#previous = new Uint32Array(2 * cells);
    }
    if (age >= periodMs) this.#turn(age);
    const first = hash & (cells - 1);
    const second = cells + ((hash >>> 16) & (cells - 1));
    const current = this.#current;
    const a = (current[first] as number) + 1;
    const b = (current[second] as number) + 1;
    current[first] = a;
    current[second] = b;
    const total = a + (this.#previous[first] as number);
    const other = b + (this.#previous[second] as number);
    return Math.min(total, other);
  }

  #turn(age: number): void {
    const emptied = this.#previous.fill(0);
    this.#previous = age < 2 * periodMs ? this.#current : new Uint32Array(2 * this.#cells);
    this.#current = emptied;
    this.#periodStart += Math.floor(age / periodMs) * periodMs;
  }
}
