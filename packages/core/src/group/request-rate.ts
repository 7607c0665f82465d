import type { Clock } from "../clock.ts";

const cells = 4096;
const periodMs = 30_000;

/**
 * How often keys were asked for in the last minute or so, in fixed memory: two rows of counters
 * (a count-min sketch), one pair for the running half minute and one for the one before. Collisions
 * can only make a key look hotter than it is.
 */
export class RequestRate {
  readonly #clock: Clock;
  #current: Uint32Array = new Uint32Array(2 * cells);
  #previous: Uint32Array = new Uint32Array(2 * cells);
  #periodStart: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#periodStart = clock.now();
  }

  /** Counts one request of the key with this hash and returns its requests per minute, by measurement so far. */
  count(hash: number): number {
    const age = this.#clock.now() - this.#periodStart;
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
    this.#previous = age < 2 * periodMs ? this.#current : new Uint32Array(2 * cells);
    this.#current = emptied;
    this.#periodStart += Math.floor(age / periodMs) * periodMs;
  }
}
