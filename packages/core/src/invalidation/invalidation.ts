import { setMaxListeners } from "node:events";
import { abortedError } from "../abort.ts";
import { isParsecError, ParsecError } from "../errors.ts";
import type { Peer, PeerFailure, PeerInvalidation, PeerPicker } from "../peer.ts";
import type { SharedSignals } from "../shared-signals.ts";

/** Who can no longer serve what was invalidated, and who did not say so. */
export interface InvalidationResult {
  /** Ids of the nodes that applied it, this one first. */
  readonly acknowledged: readonly string[];
  /** Members that could not be told; empty when the old value is gone everywhere. */
  readonly failed: readonly PeerFailure[];
}

interface InvalidationContext {
  readonly picker: PeerPicker;
  readonly apply: () => void;
  readonly timeoutMs: number;
}

/**
 * Applies an invalidation on every member (ADR 0004).
 *
 * One key: the owner first, so that whoever asks it afterwards gets the new value; then this node
 * and all others, who drop copies they may have fetched meanwhile. Tags and whole groups have no
 * one owner, so everybody is told twice: after the first round no owner has the old value, and the
 * second removes copies made during the first. They leave no fences: while `failed` is not empty,
 * a node named there may hand its old value on.
 */
export async function invalidateEverywhere(
  invalidation: PeerInvalidation,
  on: InvalidationContext & {
    readonly signals: SharedSignals;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<InvalidationResult> {
  const { signal, signals } = on;
  if (signal === undefined) return await spread(invalidation, on);
  if (signal.aborted) throw abortedError(signal);
  // Each peer listens, and there may be more of them than a signal is expected to have listeners.
  const ending = new AbortController();
  setMaxListeners(0, ending.signal);
  const leave = (): void => ending.abort(signal.reason);
  signals.add(signal, leave);
  try {
    return await spread(invalidation, { ...on, signal: ending.signal });
  } finally {
    signals.remove(signal, leave);
  }
}

async function spread(
  invalidation: PeerInvalidation,
  on: InvalidationContext & { readonly signal?: AbortSignal | undefined },
): Promise<InvalidationResult> {
  const { picker, apply, timeoutMs, signal } = on;
  const told = new Map<string, ParsecError | undefined>();
  const tell = async (peer: Peer): Promise<void> => {
    told.set(peer.id, undefined);
    try {
      await peer.invalidate(invalidation, { timeoutMs, signal });
    } catch (error) {
      told.set(peer.id, asPeerError(error));
    }
  };
  const tellOthers = async (): Promise<void> => {
    // Members may join while we wait; nobody may be left out.
    for (;;) {
      const others = picker.peers().filter((peer) => !told.has(peer.id));
      if (others.length === 0) return;
      await Promise.all(others.map(tell));
      if (signal?.aborted) throw abortedError(signal);
    }
  };

  const { target } = invalidation;
  if (target.kind === "keys") {
    const owners = new Set(target.keys.map((key) => picker.pick(key)));
    await Promise.all([...owners].map((owner) => owner && tell(owner)));
    apply();
    await tellOthers();
  } else {
    apply();
    await tellOthers();
    const silent = [...told].filter(([, error]) => error !== undefined);
    told.clear();
    for (const [id, error] of silent) told.set(id, error);
    apply();
    await tellOthers();
  }

  const failed: PeerFailure[] = [];
  const acknowledged = [picker.selfId];
  for (const [peerId, error] of told) {
    if (error === undefined) acknowledged.push(peerId);
    else failed.push({ peerId, error });
  }
  return { acknowledged, failed };
}

function asPeerError(error: unknown): ParsecError {
  return isParsecError(error)
    ? error
    : new ParsecError("PEER_UNREACHABLE", "the peer could not be told", { cause: error });
}
