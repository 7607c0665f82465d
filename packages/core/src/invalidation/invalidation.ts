import { setMaxListeners } from "node:events";
import { abortedError } from "../abort.ts";
import type { Clock } from "../clock.ts";
import { isParsecError, ParsecError } from "../errors.ts";
import type { Peer, PeerFailure, PeerInvalidation, PeerPicker } from "../peer.ts";
import type { SharedSignals } from "../shared-signals.ts";
import { telemetryChannel } from "../telemetry.ts";
import type { MembersMeanwhile } from "./members-meanwhile.ts";

const channel = telemetryChannel("parsec:invalidation");

/** Outcome of an invalidation: which nodes applied it, and which failed to. */
export interface InvalidationResult {
  /** Ids of the nodes that applied it, this node first. None of them serves a value fetched before the call. */
  readonly acknowledged: readonly string[];
  /**
   * Nodes that were members during the call and did not acknowledge, with the reason. They may serve the old value
   * until a background retry succeeds. A node that was removed before it was notified is one of them.
   */
  readonly failed: readonly PeerFailure[];
}

interface InvalidationContext {
  readonly picker: PeerPicker;
  /** Filled from the start of the invalidation on. */
  readonly members: MembersMeanwhile;
  readonly apply: () => void;
  /** Called in the turn in which the members are checked for the last time, so that no change falls between. */
  readonly onResult: (result: InvalidationResult) => void;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * Applies an invalidation on every member (ADR 0004).
 *
 * Keys: the owner first, so that later lookups there return the new value; then this node and all others,
 * which drop copies they may have fetched meanwhile. Tags and whole groups have many owners, so all members
 * are notified twice: after the first round no owner has the old value, and the second round removes copies
 * made during the first. They leave no fences: while `failed` is not empty, a node listed there may pass
 * its old value on.
 *
 * A member that was removed before it was notified is in `failed` at once: most of these have ended, and the
 * caller would wait for the time limit.
 */
export async function invalidateEverywhere(
  invalidation: PeerInvalidation,
  context: InvalidationContext & {
    readonly signals: SharedSignals;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<InvalidationResult> {
  const { signal, signals } = context;
  if (signal === undefined) return await spread(invalidation, context);
  if (signal.aborted) throw abortedError(signal);
  // Each peer adds a listener, and there may be more peers than Node's limit for its leak warning.
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const onAbort = (): void => controller.abort(signal.reason);
  signals.add(signal, onAbort);
  try {
    return await spread(invalidation, { ...context, signal: controller.signal });
  } finally {
    signals.remove(signal, onAbort);
  }
}

async function spread(
  invalidation: PeerInvalidation,
  context: InvalidationContext & { readonly signal?: AbortSignal | undefined },
): Promise<InvalidationResult> {
  const { picker, members, apply, timeoutMs, clock, signal } = context;
  const startedAt = clock.now();
  const outcomes = new Map<string, ParsecError | undefined>();
  const notify = async (peer: Peer): Promise<void> => {
    members.add(peer);
    outcomes.set(peer.id, undefined);
    try {
      await peer.invalidate(invalidation, { timeoutMs, signal });
    } catch (error) {
      outcomes.set(peer.id, asPeerError(error));
    }
  };
  const notifyOthers = async (): Promise<void> => {
    // Members may join meanwhile; they must be notified as well.
    for (;;) {
      const others = picker.peers().filter((peer) => !outcomes.has(peer.id));
      if (others.length === 0) return;
      await Promise.all(others.map(notify));
      if (signal?.aborted) throw abortedError(signal);
    }
  };

  const { target } = invalidation;
  if (target.kind === "keys") {
    const owners = new Set(target.keys.map((key) => picker.pick(key)));
    await Promise.all([...owners].map((owner) => owner && notify(owner)));
    apply();
    await notifyOthers();
  } else {
    apply();
    await notifyOthers();
    const failedPeers = [...outcomes].filter(([, error]) => error !== undefined);
    outcomes.clear();
    for (const [id, error] of failedPeers) outcomes.set(id, error);
    apply();
    await notifyOthers();
  }

  for (const peer of picker.peers()) members.add(peer);
  for (const { id, isWorker } of members) {
    // Another process of this node leaves when it ends, with all that it had cached.
    if (isWorker !== true && !outcomes.has(id)) outcomes.set(id, notNotified());
  }
  const failed: PeerFailure[] = [];
  const acknowledged = [picker.selfId];
  for (const [peerId, error] of outcomes) {
    if (error === undefined) acknowledged.push(peerId);
    else failed.push({ peerId, error });
  }
  const result = { acknowledged, failed };
  context.onResult(result);
  if (channel.hasSubscribers) {
    channel.publish({
      nodeId: picker.selfId,
      group: invalidation.group,
      target,
      isRepetition: invalidation.again === true,
      acknowledged,
      failed: failed.map(({ peerId, error }) => ({ peerId, errorCode: error.code })),
      durationMs: clock.now() - startedAt,
    });
  }
  return result;
}

function notNotified(): ParsecError {
  const rule = "the peer was not a member when the members were notified of the invalidation";
  return new ParsecError("PEER_UNREACHABLE", rule);
}

function asPeerError(error: unknown): ParsecError {
  return isParsecError(error)
    ? error
    : new ParsecError("PEER_UNREACHABLE", "the peer did not apply the invalidation", {
        cause: error,
      });
}
