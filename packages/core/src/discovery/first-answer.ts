import { untilAborted } from "../abort.ts";
import type { ParsecError } from "../errors.ts";

const longestTimerMs = 2 ** 31 - 1;

/** An event that happens once, such as the first answer of a discovery, and those who wait for it. */
export class FirstAnswer {
  readonly #promise: Promise<void>;
  #resolve!: () => void;
  #reject!: (error: ParsecError) => void;
  #closed: ParsecError | undefined = undefined;

  constructor() {
    this.#promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Nobody may be waiting when it is closed, which must not end the process.
    this.#promise.catch(() => {});
  }

  /** The event has happened. */
  arrive(): void {
    this.#resolve();
  }

  /** Waiters, now and later, reject with `error`. */
  close(error: ParsecError): void {
    this.#closed = error;
    this.#reject(error);
  }

  /** Resolves when the event has happened. Rejects with the error it was closed with, or `ABORTED` when `signal` fires. */
  async wait(signal: AbortSignal | undefined): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed;
    // The timers of a discovery do not keep a process alive; a caller that waits for it does.
    const alive = setInterval(() => {}, longestTimerMs);
    try {
      await untilAborted(this.#promise, signal);
    } finally {
      clearInterval(alive);
    }
  }
}
