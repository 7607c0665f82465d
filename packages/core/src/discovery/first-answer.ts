import { untilAborted } from "../abort.ts";
import type { ParsecError } from "../errors.ts";

const longestTimerMs = 2 ** 31 - 1;

/** The first answer of a discovery, which any number of callers can wait for. */
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
    // Closing without waiters must not end the process with an unhandled rejection.
    this.#promise.catch(() => {});
  }

  /** Resolves all waiters, present and future ones. */
  arrive(): void {
    this.#resolve();
  }

  /** Rejects all waiters, present and future ones, with `error`. */
  close(error: ParsecError): void {
    this.#closed = error;
    this.#reject(error);
  }

  /** Resolves after the first answer. Rejects with the error of `close`, or `ABORTED` when `signal` fires. */
  async wait(signal: AbortSignal | undefined): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed;
    // The timers of a discovery do not keep the process alive; a waiting caller must.
    const alive = setInterval(() => {}, longestTimerMs);
    try {
      await untilAborted(this.#promise, signal);
    } finally {
      clearInterval(alive);
    }
  }
}
