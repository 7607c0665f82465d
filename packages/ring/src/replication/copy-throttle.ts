import type { Clock } from "@parsec/core";
import { Turns } from "../runtime/turns.ts";

/** Keeps copies from taking the whole of a node: so many at once, so many bytes a second. */
export class CopyThrottle {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  readonly #turns: Turns;
  #freeAtMs = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly maxCopies: number;
    readonly bytesPerSecond: number;
  }) {
    this.#clock = options.clock;
    this.#turns = new Turns(options.maxCopies);
    this.#bytesPerSecond = options.bytesPerSecond;
  }

  /** Runs `copy` when its turn has come. */
  run<Result>(copy: () => Promise<Result>): Promise<Result> {
    return this.#turns.run(copy);
  }

  /** Waits until so many more bytes may be sent. */
  async pace(bytes: number): Promise<void> {
    const now = this.#clock.now();
    const waitMs = this.#freeAtMs - now;
    this.#freeAtMs = Math.max(this.#freeAtMs, now) + (bytes / this.#bytesPerSecond) * 1000;
    if (waitMs > 0) {
      await new Promise<void>((resolve) => void this.#clock.schedule(waitMs, resolve));
    }
  }
}
