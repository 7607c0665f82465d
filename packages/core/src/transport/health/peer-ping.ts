import type { Clock } from "../../clock.ts";
import { ParsecError } from "../../errors.ts";

/** Pings a peer, on another connection than its lookups. Resolves when the peer answers; the signal cancels the ping. */
export type PeerPing = (signal: AbortSignal) => Promise<void>;

/** Pings once. Rejects with the error of `ping`, with `TIMEOUT` after `timeoutMs`, or with `CLOSED` when `signal` fires. */
export function pingWithin(
  ping: PeerPing,
  options: {
    readonly clock: Clock;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { clock, timeoutMs, signal } = options;
  const controller = new AbortController();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      controller.abort();
      reject(new ParsecError("CLOSED", "the connection to the peer was closed"));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const cancelTimer = clock.schedule(timeoutMs, () => {
      controller.abort();
      reject(new ParsecError("TIMEOUT", `ping timed out after ${timeoutMs} ms`));
    });
    ping(controller.signal)
      .then(resolve, reject)
      .finally(() => {
        cancelTimer();
        signal.removeEventListener("abort", onAbort);
      });
    if (signal.aborted) onAbort();
  });
}
