import { ParsecError } from "./errors.ts";

// As in `peer.ts`, for those who import this alone.
declare global {
  interface AbortSignal {}
}

/** The error of a call whose own signal fired. The signal's reason is the `cause`. */
export function abortedError(signal: AbortSignal | undefined): ParsecError {
  return new ParsecError("ABORTED", "aborted by the caller", { cause: signal?.reason });
}

/**
 * Settles as `work` does, or rejects with `ABORTED` as soon as `signal` fires. Does not stop the
 * work: pass the signal to it as well if it can be stopped.
 */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(abortedError(signal));
    if (signal.aborted) {
      work.catch(ignore);
      abort();
      return;
    }
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function ignore(): void {}
