import { ParsecError } from "@parsec/core";
import { abortedError } from "@parsec/core/authoring";

/** A condition may also change by time alone. */
const pollMs = 50;

/** Lets callers wait for states of a ring that is open. */
export class ConditionWaits {
  readonly #isClosed: () => boolean;
  readonly #waiting: Set<(error: ParsecError | undefined) => void> = new Set();

  constructor(isClosed: () => boolean) {
    this.#isClosed = isClosed;
  }

  /** Checks all conditions: call it when the state has changed, and with each error. */
  wake(error?: ParsecError): void {
    for (const wake of [...this.#waiting]) wake(error);
  }

  /** Resolves when the condition holds; rejects with a fatal error, `ABORTED` or `CLOSED`. */
  until(
    condition: () => boolean,
    options: {
      readonly signal: AbortSignal | undefined;
      readonly fatal: (error: ParsecError) => boolean;
    },
  ): Promise<void> {
    const { signal, fatal } = options;
    return new Promise((resolve, reject) => {
      const settle = (done: () => void): void => {
        clearInterval(keepAlive);
        this.#waiting.delete(wake);
        signal?.removeEventListener("abort", abort);
        done();
      };
      const abort = (): void => {
        settle(() => reject(abortedError(signal)));
      };
      const wake = (error: ParsecError | undefined): void => {
        if (this.#isClosed()) settle(() => reject(closedError()));
        else if (condition()) settle(resolve);
        else if (error !== undefined && fatal(error)) settle(() => reject(error));
      };
      // A caller waits, so the process must not exit.
      const keepAlive = setInterval(() => wake(undefined), pollMs);
      this.#waiting.add(wake);
      signal?.addEventListener("abort", abort, { once: true });
      if (signal?.aborted) abort();
      else wake(undefined);
    });
  }
}

export function closedError(): ParsecError {
  return new ParsecError("CLOSED", "the ring was closed");
}
