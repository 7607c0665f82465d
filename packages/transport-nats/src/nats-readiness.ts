import { ParsecError } from "@parsec/core";
import { abortedError } from "@parsec/core/authoring";

/** Whether a node has joined. A permanent failure rejects the waiting callers; a later success clears it. */
export class Readiness {
  readonly #waiting: Set<(error: ParsecError | undefined) => void> = new Set();
  #ready = false;
  #failure: ParsecError | undefined = undefined;

  get isReady(): boolean {
    return this.#ready;
  }

  succeed(): void {
    this.#ready = true;
    this.#failure = undefined;
    this.#settle(undefined);
  }

  /** Records a permanent failure. Ignored once the node has been ready, because it recovers by itself. */
  fail(error: ParsecError): void {
    if (this.#ready) return;
    this.#failure = error;
    this.#settle(error);
  }

  /** Rejects waiting and later callers with `CLOSED`. */
  close(): void {
    this.#ready = false;
    this.#failure = new ParsecError("CLOSED", "the peers were closed");
    this.#settle(this.#failure);
  }

  /** Resolves when the node has joined. Rejects with the failure, or `ABORTED` when `signal` fires. */
  wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ready) resolve();
      else if (this.#failure !== undefined) reject(this.#failure);
      else if (signal?.aborted) reject(abortedError(signal));
      else {
        const abort = (): void => {
          this.#waiting.delete(settle);
          reject(abortedError(signal));
        };
        const settle = (error: ParsecError | undefined): void => {
          signal?.removeEventListener("abort", abort);
          if (error === undefined) resolve();
          else reject(error);
        };
        this.#waiting.add(settle);
        signal?.addEventListener("abort", abort, { once: true });
      }
    });
  }

  #settle(error: ParsecError | undefined): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const settle of waiting) settle(error);
  }
}
