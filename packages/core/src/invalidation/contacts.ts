import { randomInt } from "node:crypto";
import type { Clock } from "../clock.ts";
import { isParsecError } from "../errors.ts";
import type { Peer, PeerContact, PeerContactAnswer, PeerPicker } from "../peer.ts";
import { ContactLog, type CutOffReason } from "./contact-log.ts";

/** Time between two contacts with each peer, in a cluster of up to 40 nodes. A quarter is random. */
const intervalMs = 2_000;
/** With more peers the time grows, so that a node has at most 20 contacts in a second. */
const intervalPerPeerMs = 50;
/** Time limit of a contact. */
const timeoutMs = 1_000;
/** A round that starts this late shows that the process was stopped. */
const pauseMs = 3_000;

/** What this node owes its peers. */
export interface Debtor {
  /** Drawn anew after debts to a peer were forgotten; 0 for a node that is not a member. */
  promiseTo(peerId: string): number;
  owes(peerId: string): boolean;
}

/**
 * Keeps in contact with the peers, so that this node notices when it was cut off and a peer that owed it
 * invalidations is gone.
 */
export class Contacts {
  readonly #picker: PeerPicker;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #debtor: Debtor;
  readonly #onCutOff: (peerId: string, reason: CutOffReason) => void;
  readonly #log: ContactLog;
  readonly #session: number = randomInt(1, 2 ** 48 - 1);
  readonly #asking: Set<string> = new Set();
  readonly #closing: AbortController = new AbortController();
  #cancelRound: (() => void) | undefined = undefined;

  constructor(parts: {
    readonly picker: PeerPicker;
    readonly clock: Clock;
    readonly random: () => number;
    readonly debtor: Debtor;
    readonly onCutOff: (peerId: string, reason: CutOffReason) => void;
    readonly onShared: (peerId: string) => void;
  }) {
    this.#log = new ContactLog(parts.onShared);
    this.#picker = parts.picker;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#debtor = parts.debtor;
    this.#onCutOff = parts.onCutOff;
  }

  /** Takes over changes of the members. */
  refresh(): void {
    const peers = this.#peers();
    const lost = this.#log.setMembers(peers.map(({ id }) => id));
    if (lost[0] !== undefined) this.#onCutOff(lost[0], "removed");
    if (peers.length > 0 && this.#cancelRound === undefined) this.#scheduleIn(1);
  }

  /** Answers a contact of another node. */
  answer({ peerId, session, isLeaving }: PeerContact): PeerContactAnswer {
    this.refresh();
    if (isLeaving) this.#act(peerId, this.#log.saidGoodbye(peerId, session));
    else {
      const contact = { session, promise: 0, owes: this.#log.owes(peerId) };
      this.#act(peerId, this.#log.heard(peerId, contact));
    }
    return {
      session: this.#ownSession(),
      promise: this.#debtor.promiseTo(peerId),
      owes: this.#debtor.owes(peerId),
    };
  }

  /** Tells peers that this node leaves and owes them nothing. Never rejects. */
  async sayGoodbye(): Promise<void> {
    const session = this.#ownSession();
    // Other processes go on answering for this node.
    if (session === 0) return;
    const contact = { peerId: this.#picker.selfId, session, isLeaving: true };
    const peers = this.#peers().filter(({ id }) => !this.#debtor.owes(id) && !this.#log.isLost(id));
    await Promise.allSettled(peers.map((peer) => peer.contact?.(contact, { timeoutMs })));
  }

  close(): void {
    this.#closing.abort();
    this.#cancelRound?.();
  }

  #peers(): readonly Peer[] {
    return this.#picker
      .peers()
      .filter(({ contact, isWorker }) => contact !== undefined && isWorker !== true);
  }

  /** 0 where several processes answer for this node: their sessions alternate. */
  #ownSession(): number {
    return this.#picker.peers().some(({ isWorker }) => isWorker) ? 0 : this.#session;
  }

  #scheduleIn(delayMs: number): void {
    if (this.#closing.signal.aborted) return;
    const dueAt = this.#clock.now() + delayMs;
    this.#cancelRound = this.#clock.schedule(delayMs, () => {
      this.#cancelRound = undefined;
      this.refresh();
      if (this.#clock.now() > dueAt + pauseMs) this.#log.paused();
      this.#startRound();
    });
  }

  #startRound(): void {
    const peers = this.#peers();
    for (const peer of peers) void this.#ask(peer);
    this.#cancelRound?.();
    this.#cancelRound = undefined;
    if (peers.length === 0) return;
    const longestMs = Math.max(intervalMs, peers.length * intervalPerPeerMs);
    this.#scheduleIn(longestMs * (1 - this.#random() / 4));
  }

  async #ask(peer: Peer): Promise<void> {
    const { id } = peer;
    if (this.#asking.has(id)) return;
    this.#asking.add(id);
    const { signal } = this.#closing;
    const contact = { peerId: this.#picker.selfId, session: this.#ownSession(), isLeaving: false };
    try {
      const answer = await peer.contact?.(contact, { timeoutMs, signal });
      if (answer !== undefined && !signal.aborted) this.#act(id, this.#log.heard(id, answer));
    } catch (error) {
      if (isLoss(error) && !signal.aborted) this.#log.failed(id);
    } finally {
      this.#asking.delete(id);
    }
  }

  #act(peerId: string, reason: CutOffReason | undefined): void {
    if (reason !== undefined) this.#onCutOff(peerId, reason);
  }
}

/** Other errors come from a peer that was reached. */
function isLoss(error: unknown): boolean {
  return !isParsecError(error) || error.code === "PEER_UNREACHABLE" || error.code === "TIMEOUT";
}
