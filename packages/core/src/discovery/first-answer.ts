import { ParsecError } from "../errors.ts";

const longestTimerMs = 2 ** 31 - 1;

/** Something that happens once, and those who wait for it. */
export class FirstAnswer {
  readonly #waiting: Set<(error: ParsecError | undefined) => void> = new Set();
  /** Undefined until it has happened, or will not happen any more. */
  #outcome: { readonly error: ParsecError | undefined } | undefined = undefined;

  /** It has happened. */
  arrive(): void {
    if (this.#outcome === undefined) this.#settle(undefined);
  }

  /** It will not happen any more. */
  close(error: ParsecError): void {
    this.#settle(error);
  }

  /** Resolves when it has happened. Rejects with the error it was closed with, or `ABORTED` when `signal` fires. */
  wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#outcome !== undefined) {
        if (this.#outcome.error === undefined) resolve();
        else reject(this.#outcome.error);
        return;
      }
      if (signal?.aborted) {
        reject(abortedError(signal));
        return;
      }
      // The timers of a discovery do not keep a process alive; somebody who waits for it does.
      const alive = setInterval(() => {}, longestTimerMs);
      const abort = (): void => {
        clearInterval(alive);
        this.#waiting.delete(settle);
        reject(abortedError(signal));
      };
      const settle = (error: ParsecError | undefined): void => {
        clearInterval(alive);
        signal?.removeEventListener("abort", abort);
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#waiting.add(settle);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  #settle(error: ParsecError | undefined): void {
    this.#outcome = { error };
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const settle of waiting) settle(error);
  }
}

function abortedError(signal: AbortSignal | undefined): ParsecError {
  return new ParsecError("ABORTED", "the caller waits no longer", { cause: signal?.reason });
}
