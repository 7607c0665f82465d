import { setMaxListeners } from "node:events";
import type { Clock } from "../clock.ts";
import { isParsecError, type ParsecErrorCode } from "../errors.ts";
import type { Peer, PeerCallOptions, PeerFailure, PeerInvalidation, PeerPicker } from "../peer.ts";
import type { InvalidationResult } from "./invalidation.ts";

const minBackoffMs = 100;
const maxBackoffMs = 5_000;
const timeoutMs = 5_000;
/** A longer queue is replaced by one invalidation of "everything" for each group. */
const maxPendingPerPeer = 1_024;
/** Former members that get a queue, because they may return, such as under an address that is used again. */
const maxFormerMembers = 64;
/** A peer that was a member for a shorter time may go unnoticed. */
const memberCheckMs = 1_000;

/** Errors that a retry cannot cure. A peer without the group has nothing of it to drop. */
const nonRetryable: ReadonlySet<ParsecErrorCode> = new Set([
  "NO_SUCH_GROUP",
  "INVALID_ARGUMENT",
  "INVALID_KEY",
  "KEY_TOO_LARGE",
  "MALFORMED_FRAME",
  "FRAME_TOO_LARGE",
]);

/**
 * Invalidates on every member once more after a peer applied an invalidation late, or left without having
 * applied it: until then it may have passed the old value on.
 */
export type RepeatInvalidation = (
  invalidation: PeerInvalidation,
  options: PeerCallOptions,
) => Promise<InvalidationResult>;

interface PendingInvalidation {
  readonly invalidation: PeerInvalidation;
  /**
   * When all members are notified once more: after the peer has applied it, or also when the peer leaves
   * without. `never` for a repetition.
   */
  readonly repeat: "never" | "delivered" | "delivered or gone";
}

/** In ascending order. */
const repeats: readonly PendingInvalidation["repeat"][] = [
  "never",
  "delivered",
  "delivered or gone",
];

/** The invalidations that one peer has not applied yet, oldest first. */
interface RetryQueue {
  pending: PendingInvalidation[];
  backoffMs: number;
  cancelTimer: (() => void) | undefined;
}

/**
 * Retries invalidations that did not reach a peer, with one retry queue per peer, until the peer applies
 * them or this node closes. Former members have a queue as well, for the case that they join again. A peer
 * that restarted meanwhile applies them without harm.
 */
export class MissedInvalidations {
  readonly #picker: PeerPicker;
  readonly #clock: Clock;
  readonly #repeat: RepeatInvalidation;
  readonly #queues: Map<string, RetryQueue> = new Map();
  /** Every member seen, former members before present ones. */
  readonly #known: Set<string> = new Set();
  readonly #closing: AbortController = new AbortController();
  #membersRecordedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: {
    readonly picker: PeerPicker;
    readonly clock: Clock;
    readonly repeat: RepeatInvalidation;
  }) {
    this.#picker = parts.picker;
    this.#clock = parts.clock;
    this.#repeat = parts.repeat;
    // Each delivery in progress adds a listener.
    setMaxListeners(0, this.#closing.signal);
    this.refreshMembers();
  }

  /** Records the present members unless that was done less than a second ago. Cheap enough for every lookup. */
  refreshMembers(): void {
    const now = this.#clock.now();
    if (now < this.#membersRecordedAt + memberCheckMs) return;
    this.#membersRecordedAt = now;
    this.recordMembers();
  }

  /** Records the present members and returns their number. */
  recordMembers(): number {
    const members = this.#picker.peers();
    for (const { id } of members) {
      this.#known.delete(id);
      this.#known.add(id);
    }
    return members.length;
  }

  /** Queues an invalidation for the members that failed to acknowledge it, and for all former members. */
  add(invalidation: PeerInvalidation, failed: readonly PeerFailure[]): void {
    this.#enqueueFailed({ invalidation, repeat: "delivered or gone" }, failed);
    for (const id of this.#formerMembers()) {
      this.#enqueue(id, { invalidation, repeat: "delivered" });
    }
  }

  close(): void {
    this.#closing.abort();
    for (const queue of this.#queues.values()) queue.cancelTimer?.();
    this.#queues.clear();
  }

  #enqueueFailed(entry: PendingInvalidation, failed: readonly PeerFailure[]): void {
    for (const { peerId, error } of failed) {
      if (!nonRetryable.has(error.code)) this.#enqueue(peerId, entry);
    }
  }

  #formerMembers(): string[] {
    const memberCount = this.recordMembers();
    const former = [...this.#known].slice(0, this.#known.size - memberCount);
    const tooMany = Math.max(0, former.length - maxFormerMembers);
    for (const id of former.splice(0, tooMany)) {
      this.#known.delete(id);
      this.#drop(id);
    }
    return former;
  }

  #drop(peerId: string): void {
    this.#queues.get(peerId)?.cancelTimer?.();
    this.#queues.delete(peerId);
  }

  #enqueue(peerId: string, entry: PendingInvalidation): void {
    if (this.#closing.signal.aborted) return;
    let queue = this.#queues.get(peerId);
    if (queue === undefined) {
      queue = { pending: [], backoffMs: minBackoffMs, cancelTimer: undefined };
      this.#queues.set(peerId, queue);
      this.#schedule(peerId, queue);
    }
    if (queue.pending.some(({ invalidation }) => invalidation === entry.invalidation)) return;
    queue.pending.push(entry);
    if (queue.pending.length > maxPendingPerPeer) queue.pending = collapsed(queue.pending);
  }

  #schedule(peerId: string, queue: RetryQueue): void {
    queue.cancelTimer = this.#clock.schedule(queue.backoffMs, () => {
      queue.cancelTimer = undefined;
      queue.backoffMs = Math.min(queue.backoffMs * 2, maxBackoffMs);
      void this.#retry(peerId, queue);
    });
  }

  async #retry(peerId: string, queue: RetryQueue): Promise<void> {
    const peer = this.#picker.peers().find(({ id }) => id === peerId);
    const toRepeat = peer === undefined ? undelivered(queue) : await this.#deliver(peer, queue);
    if (this.#queues.get(peerId) === queue) {
      if (queue.pending.length === 0) this.#drop(peerId);
      else this.#schedule(peerId, queue);
    }
    for (const invalidation of toRepeat) await this.#repeatEverywhere(invalidation);
  }

  /** Sends the queue to its peer until one fails. Returns the invalidations to repeat on all members. */
  async #deliver(peer: Peer, queue: RetryQueue): Promise<PeerInvalidation[]> {
    const { signal } = this.#closing;
    const delivered: PeerInvalidation[] = [];
    for (let oldest = queue.pending[0]; oldest !== undefined; oldest = queue.pending[0]) {
      const { invalidation, repeat } = oldest;
      try {
        await peer.invalidate({ ...invalidation, again: true }, { timeoutMs, signal });
        if (repeat !== "never") delivered.push(invalidation);
      } catch (error) {
        if (!isParsecError(error) || !nonRetryable.has(error.code)) break;
      }
      // By identity: the queue may have been collapsed meanwhile.
      queue.pending = queue.pending.filter((entry) => entry !== oldest);
    }
    return delivered;
  }

  async #repeatEverywhere(invalidation: PeerInvalidation): Promise<void> {
    const { signal } = this.#closing;
    try {
      const { failed } = await this.#repeat({ ...invalidation, again: true }, { signal });
      this.#enqueueFailed({ invalidation, repeat: "never" }, failed);
    } catch {
      // This node is closing, or the group is gone.
    }
  }
}

/** The invalidations to repeat on all members because the peer left without having applied them. */
function undelivered(queue: RetryQueue): PeerInvalidation[] {
  const missed = queue.pending.filter(({ repeat }) => repeat === "delivered or gone");
  queue.pending = queue.pending.map((entry) =>
    missed.includes(entry) ? { ...entry, repeat: "delivered" } : entry,
  );
  return missed.map(({ invalidation }) => invalidation);
}

/** One invalidation of "everything" for each group, with the group's newest fence. */
function collapsed(pending: readonly PendingInvalidation[]): PendingInvalidation[] {
  const byGroup = new Map<string, PendingInvalidation>();
  for (const { invalidation, repeat } of pending) {
    const { group, fence } = invalidation;
    const before = byGroup.get(group)?.repeat ?? "never";
    byGroup.set(group, {
      invalidation: { group, fence, target: { kind: "all" } },
      repeat: repeats.indexOf(repeat) > repeats.indexOf(before) ? repeat : before,
    });
  }
  return [...byGroup.values()];
}
