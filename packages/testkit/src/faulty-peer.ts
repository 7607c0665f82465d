import {
  type Clock,
  ParsecError,
  type Peer,
  type PeerCallOptions,
  type PeerPicker,
} from "@parsec/core";
import { createSystemClock } from "@parsec/core/transport";
import { createWrappedPicker } from "./wrapped-picker.ts";

/** One call of a peer, the input of a {@link FaultPlan}. */
export interface FaultyCall {
  readonly kind: "lookup" | "invalidate" | "handOver";
  readonly peerId: string;
  readonly group: string;
  /** Key of a lookup; undefined for other calls. */
  readonly key: string | undefined;
  /** Number of earlier calls of this peer, of any kind: 0 for the first call. */
  readonly index: number;
}

/**
 * A fault of one call.
 * - `delay` sends the call `ms` later; its timeout and abort still apply
 * - `fail` does not send the call and rejects with `error`
 * - `hang` does not send the call; it ends by timeout or abort
 * - `late` sends the call at once and delivers its outcome after `ms`, even past the timeout, which
 *   violates the contract of transports
 * - `double` sends the call twice and delivers the first outcome
 */
export type PeerFault =
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "fail"; readonly error: ParsecError }
  | { readonly kind: "hang" }
  | { readonly kind: "late"; readonly ms: number }
  | { readonly kind: "double" };

/** Chooses the fault of a call; undefined means none. */
export type FaultPlan = (call: FaultyCall) => PeerFault | undefined;

/** Options of {@link createFaultyPeer} and {@link createFaultyPicker}. */
export interface FaultyPeerOptions {
  /** Clock of delays and timeouts. Defaults to the system's clock. */
  readonly clock?: Clock;
}

/** Wraps `peer` so that its calls have the faults that `plan` chooses: tests a cache or a transport against failures. */
export function createFaultyPeer(
  peer: Peer,
  plan: FaultPlan,
  options: FaultyPeerOptions = {},
): Peer {
  const clock = options.clock ?? createSystemClock();
  let calls = 0;

  /** Calls `begin` after `ms`, or never for Infinity, unless timeout or abort come first. */
  const postpone = <Answer>(
    begin: () => Promise<Answer>,
    wait: {
      readonly ms: number;
      readonly timeoutMs: number;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const stop = (): void => {
        cancelStart();
        cancelDeadline();
        wait.signal?.removeEventListener("abort", abort);
      };
      const cancelStart = Number.isFinite(wait.ms)
        ? clock.schedule(wait.ms, () => {
            stop();
            begin().then(resolve, reject);
          })
        : () => {};
      const cancelDeadline = clock.schedule(wait.timeoutMs, () => {
        stop();
        reject(
          new ParsecError(
            "TIMEOUT",
            `${peer.id} did not answer within ${Math.round(wait.timeoutMs)} ms`,
          ),
        );
      });
      const abort = (): void => {
        stop();
        reject(new ParsecError("ABORTED", "aborted by the caller"));
      };
      if (wait.signal?.aborted) abort();
      else wait.signal?.addEventListener("abort", abort, { once: true });
    });

  const holdBack = async <Answer>(outcome: Promise<Answer>, ms: number): Promise<Answer> => {
    const wait = new Promise<void>((resolve) => void clock.schedule(ms, resolve));
    const [settled] = await Promise.allSettled([outcome, wait]);
    if (settled.status === "rejected") throw settled.reason;
    return settled.value;
  };

  const double = <Answer>(begin: () => Promise<Answer>): Promise<Answer> => {
    const first = begin();
    begin().catch(() => {});
    return first;
  };

  const perform = <Answer>(
    call: Omit<FaultyCall, "peerId" | "index">,
    begin: () => Promise<Answer>,
    limits: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
  ): Promise<Answer> => {
    const fault = plan({ ...call, peerId: peer.id, index: calls++ });
    switch (fault?.kind) {
      case undefined:
        return begin();
      case "delay":
        return postpone(begin, { ms: fault.ms, ...limits });
      case "hang":
        return postpone(begin, { ms: Number.POSITIVE_INFINITY, ...limits });
      case "fail":
        return Promise.reject(fault.error);
      case "late":
        return holdBack(begin(), fault.ms);
      case "double":
        return double(begin);
    }
  };

  return {
    id: peer.id,
    lookup(lookup, callOptions?: PeerCallOptions) {
      const { group, key, timeoutMs } = lookup;
      return perform({ kind: "lookup", group, key }, () => peer.lookup(lookup, callOptions), {
        timeoutMs,
        signal: callOptions?.signal,
      });
    },
    invalidate(invalidation, callOptions) {
      const { group } = invalidation;
      return perform(
        { kind: "invalidate", group, key: undefined },
        () => peer.invalidate(invalidation, callOptions),
        { timeoutMs: callOptions.timeoutMs, signal: callOptions.signal },
      );
    },
    ...(peer.handOver && {
      handOver(part, callOptions) {
        const { group } = part;
        return perform(
          { kind: "handOver", group, key: undefined },
          () => peer.handOver?.(part, callOptions) ?? Promise.resolve(0),
          { timeoutMs: callOptions.timeoutMs, signal: callOptions.signal },
        );
      },
    }),
    ...(peer.probe && { probe: () => peer.probe?.() }),
  };
}

/** Wraps `picker` so that each of its peers is a {@link createFaultyPeer} with the same `plan`. */
export function createFaultyPicker(
  picker: PeerPicker,
  plan: FaultPlan,
  options: FaultyPeerOptions = {},
): PeerPicker {
  return createWrappedPicker(picker, (peer) => createFaultyPeer(peer, plan, options));
}
