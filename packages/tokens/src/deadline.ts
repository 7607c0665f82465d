import { ParsecError } from "@parsec/core";

/** Settles as `work` does, or rejects as soon as `signal` fires with the signal's own reason. */
export function waitFor<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal));
    if (signal.aborted) {
      work.catch(ignore);
      onAbort();
      return;
    }
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** A signal that fires `TIMEOUT` after `timeoutMs`, or `ABORTED` with the caller's. Call `clear` when done. */
export interface Deadline {
  readonly signal: AbortSignal;
  clear(): void;
}

/** Joins the caller's signal, if there is one, with a limit in time. */
export function startDeadline(timeoutMs: number, caller: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  const expire = (): void =>
    controller.abort(new ParsecError("TIMEOUT", `no answer within ${timeoutMs} ms`));
  const leave = (): void =>
    controller.abort(new ParsecError("ABORTED", "the caller does not wait any more"));
  const timer = setTimeout(expire, timeoutMs);
  timer.unref();
  if (caller?.aborted === true) leave();
  else caller?.addEventListener("abort", leave, { once: true });
  return {
    signal: controller.signal,
    clear() {
      clearTimeout(timer);
      caller?.removeEventListener("abort", leave);
    },
  };
}

function abortError(signal: AbortSignal): unknown {
  const { reason } = signal;
  return reason instanceof ParsecError
    ? reason
    : new ParsecError("ABORTED", "the caller does not wait any more", { cause: reason });
}

function ignore(): void {}
