import type { Clock } from "@parsec/core";

/** Keeps copies from taking the whole of a node: so many at once, so many bytes a second. */
export class CopyThrottle {
  readonly #clock: Clock;
  readonly #maxCopies: number;
  readonly #bytesPerSecond: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #freeAtMs = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly maxCopies: number;
    readonly bytesPerSecond: number;
  }) {
    this.#clock = options.clock;
    this.#maxCopies = options.maxCopies;
    this.#bytesPerSecond = options.bytesPerSecond;
  }

  /** Runs `copy` when its turn has come. */
  async run<Result>(copy: () => Promise<Result>): Promise<Result> {
    if (this.#running >= this.#maxCopies) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    try {
      return await copy();
    } finally {
      // Hands its place on, so that nobody can come in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
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
