import { randomInt } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { Clock } from "../clock.ts";
import { isParsecError, type ParsecErrorCode } from "../errors.ts";
import type { Peer, PeerCallOptions, PeerFailure, PeerInvalidation, PeerPicker } from "../peer.ts";
import { type Debt, transferDebts } from "./debts.ts";
import { FormerMembers } from "./former-members.ts";
import type { InvalidationResult } from "./invalidation.ts";
import { MembersMeanwhile } from "./members-meanwhile.ts";
import { maxBackoffMs, minBackoffMs, type PendingInvalidation, RetryQueue } from "./retry-queue.ts";

const timeoutMs = 5_000;
/** Time limit for handing a new debt to other members, while the caller of `invalidate` waits. */
const shareMs = 1_000;
/** Time limit for handing all debts to other members when this node leaves. */
const handOverMs = 2_000;
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
 * applied it: until then it may have passed the old value on. Gives the failures to {@link MissedInvalidations.add}.
 */
export type RepeatInvalidation = (
  invalidation: PeerInvalidation,
  options: PeerCallOptions,
) => Promise<unknown>;

/** A peer that has not applied invalidations of a node that left, and that no other node retries. */
export interface UndeliveredInvalidations {
  readonly peerId: string;
  /** How many. After more than 1,024, one for each group. */
  readonly count: number;
}

/**
 * Retries invalidations that did not reach a peer, with one retry queue per peer, until the peer applies
 * them. Two other members retry them as well, so that they are not lost with this node. Former members get what they
 * missed when they join again. A peer that restarted meanwhile applies them without harm.
 */
export class MissedInvalidations {
  readonly #picker: PeerPicker;
  readonly #clock: Clock;
  readonly #repeat: RepeatInvalidation;
  readonly #queues: Map<string, RetryQueue> = new Map();
  readonly #former: FormerMembers = new FormerMembers();
  #members: ReadonlyMap<string, Peer> = new Map();
  /** Of each invalidation in progress. */
  readonly #meanwhile: Set<MembersMeanwhile> = new Set();
  /** For each member and former member, until what it missed is forgotten. */
  readonly #promises: Map<string, number> = new Map();
  readonly #onMembers: () => void;
  readonly #closing: AbortController = new AbortController();
  #membersRecordedAt = Number.NEGATIVE_INFINITY;
  #cancelFormerCheck: (() => void) | undefined = undefined;

  constructor(parts: {
    readonly picker: PeerPicker;
    readonly clock: Clock;
    readonly repeat: RepeatInvalidation;
    /** Called after the members were recorded. */
    readonly onMembers?: () => void;
  }) {
    this.#picker = parts.picker;
    this.#clock = parts.clock;
    this.#repeat = parts.repeat;
    this.#onMembers = parts.onMembers ?? (() => {});
    // Each delivery in progress adds a listener.
    setMaxListeners(0, this.#closing.signal);
    this.refreshMembers();
  }

  /** How many former members are remembered. */
  get formerMembers(): number {
    return this.#former.size;
  }

  /** Identifies the promise to deliver to a member whatever it misses. Drawn anew after something was forgotten; 0 for other nodes. */
  promiseTo(peerId: string): number {
    return this.#members.has(peerId) ? (this.#promises.get(peerId) ?? 0) : 0;
  }

  /** Whether a peer has not applied something yet. */
  owes(peerId: string): boolean {
    return this.#queues.has(peerId);
  }

  /** Records the present members unless that was done less than a second ago. Cheap enough for every lookup. */
  refreshMembers(): void {
    const now = this.#clock.now();
    if (now < this.#membersRecordedAt + memberCheckMs) return;
    this.recordMembers();
  }

  /** Records the present members. Those that are back get a queue of what they missed. */
  recordMembers(): void {
    const now = this.#clock.now();
    this.#membersRecordedAt = now;
    const before = this.#members;
    this.#members = new Map(this.#picker.peers().map((peer) => [peer.id, peer]));
    for (const [id, { isWorker }] of before) {
      // Another process of this node never returns.
      if (this.#members.has(id)) continue;
      if (isWorker === true) this.#promises.delete(id);
      else this.#former.left(id, now);
    }
    for (const [id, peer] of this.#members) {
      if (before.has(id)) continue;
      for (const members of this.#meanwhile) members.add(peer);
      if (!this.#promises.has(id)) this.#promises.set(id, randomInt(1, 2 ** 48 - 1));
      for (const invalidation of this.#former.returned(id)) {
        this.#enqueue(id, { invalidation, repeat: invalidation.again ? "never" : "delivered" });
      }
    }
    this.#forgetFormer(now);
    this.#onMembers();
  }

  /** Runs an invalidation, and records for it all nodes that are members meanwhile. */
  async withMembers<T>(run: (members: MembersMeanwhile) => Promise<T>): Promise<T> {
    this.recordMembers();
    const members = new MembersMeanwhile(this.#members.values());
    this.#meanwhile.add(members);
    try {
      return await run(members);
    } finally {
      this.#meanwhile.delete(members);
    }
  }

  /**
   * Queues an invalidation, or a repetition of one, for the nodes that failed to acknowledge it, and logs it for all
   * former members.
   */
  add(invalidation: PeerInvalidation, failed: readonly PeerFailure[]): void {
    this.recordMembers();
    const repeat = invalidation.again ? "never" : "delivered or gone";
    for (const { peerId, error } of failed) {
      if (!nonRetryable.has(error.code)) this.#enqueue(peerId, { invalidation, repeat });
    }
    if (this.#closing.signal.aborted) return;
    this.#former.add(invalidation);
    if (this.#former.hasMissed) this.#checkFormerIn(minBackoffMs);
  }

  /** Asks members that acknowledged an invalidation to retry it, too, where others failed. Never rejects. */
  async share(
    invalidation: PeerInvalidation,
    { acknowledged, failed }: InvalidationResult,
    signal?: AbortSignal,
  ): Promise<void> {
    const members = new Map(this.#picker.peers().map((peer) => [peer.id, peer]));
    const owedTo = failed
      .filter(({ error }) => !nonRetryable.has(error.code))
      .filter(({ peerId: id }) =>
        members.has(id) ? canOwe(members.get(id)) : this.#former.has(id),
      )
      .map(({ peerId }) => peerId);
    if (owedTo.length === 0) return;
    const heirs = acknowledged.flatMap((id) => members.get(id) ?? []);
    // Not always the same heirs.
    heirs.push(...heirs.splice(0, invalidation.fence % Math.max(1, heirs.length)));
    const on = { heirs, clock: this.#clock, timeoutMs: shareMs, signal };
    await transferDebts([{ invalidation, owedTo }], on);
  }

  /** Retries an invalidation that another node asks this one to deliver, to members and former members. */
  takeOver({ owedTo = [], ...invalidation }: PeerInvalidation): void {
    this.recordMembers();
    for (const id of owedTo) {
      if (id === this.#picker.selfId) continue;
      this.#enqueue(id, { invalidation, repeat: "delivered or gone" });
    }
    this.#forgetFormer(this.#clock.now());
  }

  /**
   * For a node that leaves: tries to deliver all queues once more, and asks other members to retry what remains.
   * Returns the peers for which none could be asked.
   */
  async handOver(): Promise<readonly UndeliveredInvalidations[]> {
    this.recordMembers();
    const debts = this.#debts();
    if (debts.length === 0) return [];
    const members = this.#picker.peers();
    const delivering = members.map(async (peer) => {
      const queue = this.#queues.get(peer.id);
      if (queue === undefined) return;
      for (const late of await this.#deliver(peer, queue)) await this.#repeatEverywhere(late);
    });
    const heirs = members.filter(({ handOver }) => handOver !== undefined);
    heirs.sort((a, b) => Number(this.#queues.has(a.id)) - Number(this.#queues.has(b.id)));
    const transfer = { heirs, clock: this.#clock, timeoutMs: handOverMs };
    const [left] = await Promise.all([
      transferDebts(debts, transfer),
      this.#atMost(handOverMs, Promise.all(delivering)),
    ]);
    const counts = new Map<string, number>();
    for (const { invalidation, owedTo } of left) {
      for (const id of owedTo) {
        if (this.#queues.get(id)?.has(invalidation) === false) continue;
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
    }
    return Array.from(counts, ([peerId, count]) => ({ peerId, count }));
  }

  close(): void {
    this.#closing.abort();
    for (const queue of this.#queues.values()) queue.cancelTimer?.();
    this.#queues.clear();
    this.#cancelFormerCheck?.();
  }

  /** All invalidations that some member or former member has not applied. */
  #debts(): Debt[] {
    const debts = new Map<number, { invalidation: PeerInvalidation; owedTo: string[] }>();
    const owe = (id: string, invalidations: readonly PeerInvalidation[]): void => {
      for (const invalidation of invalidations) {
        const debt = debts.get(invalidation.fence);
        if (debt === undefined) debts.set(invalidation.fence, { invalidation, owedTo: [id] });
        else debt.owedTo.push(id);
      }
    };
    const foreign = new Set<string>();
    for (const peer of this.#picker.peers()) if (!canOwe(peer)) foreign.add(peer.id);
    for (const [id, queue] of this.#queues) if (!foreign.has(id)) owe(id, queue.invalidations);
    for (const [id, missed] of this.#former.missed()) owe(id, missed);
    return [...debts.values()];
  }

  async #atMost(limitMs: number, work: Promise<unknown>): Promise<void> {
    let cancelTimer = (): void => {};
    const limit = new Promise<void>((resolve) => {
      cancelTimer = this.#clock.schedule(limitMs, resolve);
    });
    await Promise.race([work, limit]);
    cancelTimer();
  }

  #forgetFormer(now: number): void {
    for (const id of this.#former.forget(now)) {
      this.#drop(id);
      this.#promises.delete(id);
    }
  }

  #drop(peerId: string): void {
    this.#queues.get(peerId)?.cancelTimer?.();
    this.#queues.delete(peerId);
  }

  #enqueue(peerId: string, entry: PendingInvalidation): void {
    if (this.#closing.signal.aborted) return;
    let queue = this.#queues.get(peerId);
    if (queue === undefined) {
      const isKnown = this.#members.has(peerId) || this.#former.has(peerId);
      if (!isKnown) this.#former.left(peerId, this.#clock.now());
      queue = new RetryQueue();
      this.#queues.set(peerId, queue);
      this.#schedule(peerId, queue);
    }
    queue.add(entry);
  }

  #schedule(peerId: string, queue: RetryQueue): void {
    queue.cancelTimer = this.#clock.schedule(queue.nextBackoffMs(), () => {
      queue.cancelTimer = undefined;
      void this.#retry(peerId, queue);
    });
  }

  /** Looks for members that are back, as long as there is anything that a former member has missed. */
  #checkFormerIn(delayMs: number): void {
    this.#cancelFormerCheck ??= this.#clock.schedule(delayMs, () => {
      this.#cancelFormerCheck = undefined;
      this.recordMembers();
      if (this.#former.hasMissed) this.#checkFormerIn(Math.min(delayMs * 2, maxBackoffMs));
    });
  }

  async #retry(peerId: string, queue: RetryQueue): Promise<void> {
    const peer = this.#picker.peers().find(({ id }) => id === peerId);
    const toRepeat = peer === undefined ? queue.undelivered() : await this.#deliver(peer, queue);
    if (this.#queues.get(peerId) === queue) {
      const isGone = peer === undefined && !this.#former.has(peerId);
      if (queue.size === 0 || isGone) this.#drop(peerId);
      else this.#schedule(peerId, queue);
    }
    for (const invalidation of toRepeat) await this.#repeatEverywhere(invalidation);
  }

  /** Sends the queue to its peer until one fails. Returns the invalidations to repeat on all members. */
  async #deliver(peer: Peer, queue: RetryQueue): Promise<PeerInvalidation[]> {
    const { signal } = this.#closing;
    const delivered: PeerInvalidation[] = [];
    for (let oldest = queue.oldest; oldest !== undefined; oldest = queue.oldest) {
      const { invalidation, repeat } = oldest;
      try {
        await peer.invalidate({ ...invalidation, again: true }, { timeoutMs, signal });
        if (repeat !== "never") delivered.push(invalidation);
      } catch (error) {
        if (!isParsecError(error) || !nonRetryable.has(error.code)) break;
      }
      queue.remove(oldest);
    }
    return delivered;
  }

  async #repeatEverywhere(invalidation: PeerInvalidation): Promise<void> {
    const { signal } = this.#closing;
    try {
      await this.#repeat({ ...invalidation, again: true }, { signal });
    } catch {
      // This node is closing, or the group is gone.
    }
  }
}

/**
 * Whether other members can retry an invalidation at a peer: not where its protocol has no hand-over, and so no
 * invalidation, nor at another process of this node, which only its processes know.
 */
function canOwe(peer: Peer | undefined): boolean {
  return peer?.handOver !== undefined && peer.isWorker !== true;
}
