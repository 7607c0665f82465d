import { ParsecError } from "@parsec/core";

/** Whether a node takes part yet. A failure that waiting will not mend is told to those who wait; success forgets it. */
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

  /** Ignored once the node has been ready: it knows how to come back. */
  fail(error: ParsecError): void {
    if (this.#ready) return;
    this.#failure = error;
    this.#settle(error);
  }

  /** The node was closed. */
  close(): void {
    this.#ready = false;
    this.#failure = new ParsecError("CLOSED", "the peers were closed");
    this.#settle(this.#failure);
  }

  /** Resolves when the node takes part. Rejects with the failure, or `ABORTED` when `signal` fires. */
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

function abortedError(signal: AbortSignal | undefined): ParsecError {
  return new ParsecError("ABORTED", "the caller waits no longer", { cause: signal?.reason });
}
