import type { PeerInvalidation } from "../peer.ts";

export const minBackoffMs = 100;
export const maxBackoffMs = 5_000;
/** A longer queue is replaced by one invalidation of "everything" for each group. */
const maxPending = 1_024;

export interface PendingInvalidation {
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

/** The invalidations that one peer has not applied yet, oldest first, each once. */
export class RetryQueue {
  /** By fence, which identifies an invalidation on all nodes. */
  #pending: Map<number, PendingInvalidation> = new Map();
  #backoffMs = minBackoffMs;
  cancelTimer: (() => void) | undefined = undefined;

  get size(): number {
    return this.#pending.size;
  }

  get oldest(): PendingInvalidation | undefined {
    for (const entry of this.#pending.values()) return entry;
    return undefined;
  }

  get invalidations(): PeerInvalidation[] {
    return Array.from(this.#pending.values(), ({ invalidation }) => invalidation);
  }

  has({ fence }: PeerInvalidation): boolean {
    return this.#pending.has(fence);
  }

  add(entry: PendingInvalidation): void {
    const { fence } = entry.invalidation;
    if (this.#pending.has(fence)) return;
    this.#pending.set(fence, entry);
    if (this.#pending.size > maxPending) this.#collapse();
  }

  /** By identity: the queue may have been collapsed meanwhile. */
  remove(entry: PendingInvalidation): void {
    const { fence } = entry.invalidation;
    if (this.#pending.get(fence) === entry) this.#pending.delete(fence);
  }

  /** The invalidations to repeat on all members because the peer left without having applied them. */
  undelivered(): PeerInvalidation[] {
    const missed: PeerInvalidation[] = [];
    for (const [fence, { invalidation, repeat }] of this.#pending) {
      if (repeat !== "delivered or gone") continue;
      missed.push(invalidation);
      this.#pending.set(fence, { invalidation, repeat: "delivered" });
    }
    return missed;
  }

  /** The time until the next retry; it doubles with each call, up to a limit. */
  nextBackoffMs(): number {
    const backoffMs = this.#backoffMs;
    this.#backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
    return backoffMs;
  }

  /** Leaves one invalidation of "everything" for each group, with the group's newest fence. */
  #collapse(): void {
    const byGroup = new Map<string, PendingInvalidation>();
    for (const { invalidation, repeat } of this.#pending.values()) {
      const { group, fence } = invalidation;
      const before = byGroup.get(group)?.repeat ?? "never";
      byGroup.set(group, {
        invalidation: { group, fence, target: { kind: "all" } },
        repeat: repeats.indexOf(repeat) > repeats.indexOf(before) ? repeat : before,
      });
    }
    this.#pending = new Map();
    for (const entry of byGroup.values()) this.#pending.set(entry.invalidation.fence, entry);
  }
}
