import type { Clock } from "@parsec/core";
import { createSemaphore, type Semaphore } from "@parsec/core/authoring";
import { withPermit } from "./with-permit.ts";

/** Limits what copies of partitions cost a node: how many run at once, and bytes per second. */
export class CopyThrottle {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  readonly #semaphore: Semaphore;
  #freeAtMs = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly maxCopies: number;
    readonly bytesPerSecond: number;
  }) {
    this.#clock = options.clock;
    this.#semaphore = createSemaphore(options.maxCopies);
    this.#bytesPerSecond = options.bytesPerSecond;
  }

  /** Runs `copy` as soon as fewer than `maxCopies` are running. */
  run<Result>(copy: () => Promise<Result>): Promise<Result> {
    return withPermit(this.#semaphore, copy);
  }

  /** Waits until `bytes` more may be sent. */
  async pace(bytes: number): Promise<void> {
    const now = this.#clock.now();
    const waitMs = this.#freeAtMs - now;
    this.#freeAtMs = Math.max(this.#freeAtMs, now) + (bytes / this.#bytesPerSecond) * 1000;
    if (waitMs > 0) {
      await new Promise<void>((resolve) => void this.#clock.schedule(waitMs, resolve));
    }
  }
}
