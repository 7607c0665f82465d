import type { NodeClock } from "../clock.ts";

const cells = 4096;
const periodMs = 30_000;

/**
 * Estimates the request rate of keys over the last minute in fixed memory: a count-min sketch with two
 * rows of counters for the current half minute and two for the previous one. Collisions can only
 * overestimate a rate.
 */
export class RequestRate {
  readonly #clock: NodeClock;
  #current: Uint32Array = new Uint32Array(2 * cells);
  #previous: Uint32Array = new Uint32Array(2 * cells);
  #periodStart: number;

  constructor(clock: NodeClock) {
    this.#clock = clock;
    this.#periodStart = clock.recent();
  }

  /** Counts one request of the key with this hash. Returns the key's requests per minute. */
  count(hash: number): number {
    const age = this.#clock.recent() - this.#periodStart;
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
