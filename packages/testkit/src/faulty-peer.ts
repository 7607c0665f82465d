import {
  type Clock,
  ParsecError,
  type Peer,
  type PeerCallOptions,
  type PeerPicker,
} from "@parsec/core";
import { createSystemClock } from "@parsec/core/transport";

/** One call that a plan decides about. */
export interface FaultyCall {
  readonly kind: "lookup" | "invalidate" | "handOver";
  readonly peerId: string;
  readonly group: string;
  /** The key looked up; undefined for other calls. */
  readonly key: string | undefined;
  /** How many calls of any kind this peer saw before: 0 for the first. */
  readonly index: number;
}

/**
 * What goes wrong with a call.
 * - `delay` the call is made `ms` later; deadline and abort still hold
 * - `fail` it is never made and rejects with `error`
 * - `hang` it is never made and no answer comes: it ends by deadline or abort
 * - `late` it is made at once, but its outcome is held back for `ms`, even past the deadline, as a
 *   transport would that breaks the contract
 * - `double` it is made twice; the first outcome counts
 */
export type PeerFault =
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "fail"; readonly error: ParsecError }
  | { readonly kind: "hang" }
  | { readonly kind: "late"; readonly ms: number }
  | { readonly kind: "double" };

/** Says what goes wrong with a call; undefined: nothing. */
export type FaultPlan = (call: FaultyCall) => PeerFault | undefined;

/** Where the delays of faulty peers come from. */
export interface FaultyPeerOptions {
  /** Defaults to the process's own clock. */
  readonly clock?: Clock;
}

/** Wraps `peer` so that `plan` decides what goes wrong with each call. */
export function createFaultyPeer(
  peer: Peer,
  plan: FaultPlan,
  options: FaultyPeerOptions = {},
): Peer {
  const clock = options.clock ?? createSystemClock();
  let calls = 0;

  /** Starts `begin` after `ms`, or never when that is Infinity, unless deadline or abort come first. */
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
        reject(new ParsecError("TIMEOUT", `${peer.id} did not answer within ${wait.timeoutMs} ms`));
      });
      const abort = (): void => {
        stop();
        reject(new ParsecError("ABORTED", "the caller aborted"));
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

/** Wraps `picker` so that every peer it names is a {@link createFaultyPeer} under the same `plan`. */
export function createFaultyPicker(
  picker: PeerPicker,
  plan: FaultPlan,
  options: FaultyPeerOptions = {},
): PeerPicker {
  const wrapped = new WeakMap<Peer, Peer>();
  const wrap = (peer: Peer): Peer => {
    const known = wrapped.get(peer);
    if (known !== undefined) return known;
    const faulty = createFaultyPeer(peer, plan, options);
    wrapped.set(peer, faulty);
    return faulty;
  };
  return {
    selfId: picker.selfId,
    peers: () => picker.peers().map(wrap),
    pick(key, without) {
      const owner = picker.pick(key, without);
      return owner && wrap(owner);
    },
    updatePeers: (ids) => picker.updatePeers(ids),
    attach: (host) => picker.attach(host),
    close: () => picker.close(),
  };
}
