import type { Clock } from "../../clock.ts";
import { ParsecError } from "../../errors.ts";

/** Asks a peer for a sign of life, on a connection of its own. Rejects when none comes. */
export type PeerPing = (signal: AbortSignal) => Promise<void>;

/** Pings once. Rejects with what went wrong, or `TIMEOUT` after `timeoutMs`; `signal` ends it early. */
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
    const leave = (): void => {
      controller.abort();
      reject(new ParsecError("CLOSED", "the connection to the peer was closed"));
    };
    signal.addEventListener("abort", leave, { once: true });
    const cancelTimer = clock.schedule(timeoutMs, () => {
      controller.abort();
      reject(new ParsecError("TIMEOUT", `ping timed out after ${timeoutMs} ms`));
    });
    ping(controller.signal)
      .then(resolve, reject)
      .finally(() => {
        cancelTimer();
        signal.removeEventListener("abort", leave);
      });
    if (signal.aborted) leave();
  });
}
