import { ParsecError } from "@parsec/core";
import { abortedError } from "@parsec/core/authoring";

/** A signal with a timeout. Call `clear` when the work is done. */
export interface Deadline {
  /** Fires with `TIMEOUT` or `ABORTED` as its reason. */
  readonly signal: AbortSignal;
  clear(): void;
}

/** Starts a deadline that fires with `TIMEOUT` after `timeoutMs`, or with `ABORTED` when the caller's signal fires. */
export function startDeadline(timeoutMs: number, caller: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  const expire = (): void =>
    controller.abort(new ParsecError("TIMEOUT", `no response within timeoutMs (${timeoutMs} ms)`));
  const abort = (): void => controller.abort(abortedError(caller));
  const timer = setTimeout(expire, timeoutMs);
  timer.unref();
  if (caller?.aborted === true) abort();
  else caller?.addEventListener("abort", abort, { once: true });
  return {
    signal: controller.signal,
    clear() {
      clearTimeout(timer);
      caller?.removeEventListener("abort", abort);
    },
  };
}
