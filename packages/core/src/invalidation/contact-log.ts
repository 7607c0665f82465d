import type { PeerContactAnswer } from "../peer.ts";

/** Why a node cannot vouch for its cache: what a peer that owed it invalidations did. */
export type CutOffReason = "restarted" | "forgot" | "removed";

/** Sessions that are remembered for each peer. */
const maxSessions = 16;
/** Former members that are remembered, because they may return. */
const maxFormer = 256;

class Contact {
  /** The promise of each session, the latest session last. */
  readonly sessions: Map<number, number> = new Map();
  session = 0;
  wasHeard = false;
  /** No contact since it failed. */
  isLost = false;
  /** Lost while most others were lost as well: this node may have been cut off. */
  isSuspect = false;
  saidGoodbye = false;
  owes = false;
  /** Several processes answer for this peer, such as behind a load balancer. */
  isShared = false;
  /** The processes do not know each other, which was reported. */
  isReported = false;
}

/**
 * What this node knows from its contacts with each peer, and the rules by which it decides that it missed
 * invalidations that nobody will deliver (ADR 0026).
 */
export class ContactLog {
  readonly #contacts: Map<string, Contact> = new Map();
  readonly #onShared: (id: string) => void;
  #members: ReadonlySet<string> = new Set();

  /** `onShared` is called once for a peer whose address several processes share without knowing each other. */
  constructor(onShared: (id: string) => void = () => {}) {
    this.#onShared = onShared;
  }

  /** Members and former members that are remembered. */
  get size(): number {
    return this.#contacts.size;
  }

  /** Replaces the members. Returns those that left while this node was cut off, so what they owed may be lost. */
  setMembers(ids: readonly string[]): string[] {
    const before = this.#members;
    this.#members = new Set(ids);
    const lost: string[] = [];
    for (const id of before) {
      const contact = this.#contacts.get(id);
      if (contact === undefined || this.#members.has(id)) continue;
      if (contact.isSuspect && contact.wasHeard) lost.push(id);
      contact.isLost = false;
      contact.isSuspect = false;
      // The last to leave is forgotten last.
      this.#contacts.delete(id);
      this.#contacts.set(id, contact);
    }
    for (const id of ids) if (!this.#contacts.has(id)) this.#contacts.set(id, new Contact());
    let excess = this.#contacts.size - this.#members.size - maxFormer;
    for (const id of this.#contacts.keys()) {
      if (excess <= 0) break;
      if (this.#members.has(id)) continue;
      this.#contacts.delete(id);
      excess--;
    }
    return lost;
  }

  /** A peer did not answer. */
  failed(id: string): void {
    const contact = this.#member(id);
    if (contact === undefined || contact.saidGoodbye) return;
    contact.isLost = true;
    this.#suspectIfCutOff();
  }

  /** This process stood still for longer than its peers wait: it was cut off from all. */
  paused(): void {
    for (const id of this.#members) this.failed(id);
  }

  /** Whether contact with a peer is lost. */
  isLost(id: string): boolean {
    return this.#member(id)?.isLost === true;
  }

  /** A peer was heard. Returns a reason when this node has to drop its cache. */
  heard(id: string, { session, promise, owes }: PeerContactAnswer): CutOffReason | undefined {
    const contact = this.#member(id);
    if (contact === undefined) return undefined;
    const reason = this.#judge(contact, session, promise);
    this.#reportIfShared(contact, { id, session });
    // A process that leaves may still answer; its goodbye counts for the next one.
    if (session !== contact.session) contact.saidGoodbye = false;
    contact.isLost = false;
    contact.isSuspect = false;
    contact.owes = owes;
    contact.session = session;
    contact.wasHeard = true;
    if (session === 0) return reason;
    contact.sessions.set(session, promise || (contact.sessions.get(session) ?? 0));
    const [oldest] = contact.sessions.keys();
    if (contact.sessions.size > maxSessions) contact.sessions.delete(oldest as number);
    return reason;
  }

  /** A peer leaves in good order and owes this node nothing. Returns a reason like {@link heard}. */
  saidGoodbye(id: string, session: number): CutOffReason | undefined {
    const reason = this.heard(id, { session, promise: 0, owes: false });
    const contact = this.#member(id);
    if (contact !== undefined) contact.saidGoodbye = true;
    return reason;
  }

  /** Whether the peer owed this node something when it was last heard. */
  owes(id: string): boolean {
    return this.#member(id)?.owes === true;
  }

  #judge(contact: Contact, session: number, promise: number): CutOffReason | undefined {
    // The first contact: this node has not relied on the peer before.
    if (!contact.wasHeard) return undefined;
    const promised = contact.sessions.get(session);
    if (promised !== undefined) {
      contact.isShared ||= session !== contact.session;
      const isForgotten = promised !== 0 && promise !== 0 && promised !== promise;
      if (isForgotten) return "forgot";
      return contact.isShared && contact.isSuspect ? "restarted" : undefined;
    }
    if (contact.saidGoodbye) return undefined;
    if (session !== 0 && !contact.isShared) {
      // The process before did not leave in good order, so contact was lost, if only for a moment.
      contact.isLost = true;
      this.#suspectIfCutOff();
    }
    return contact.isSuspect || contact.owes ? "restarted" : undefined;
  }

  /** A session that comes back after another one runs beside it. Workers that know each other answer with 0. */
  #reportIfShared(
    contact: Contact,
    { id, session }: { readonly id: string; readonly session: number },
  ): void {
    const isBack = session !== contact.session && contact.sessions.has(session);
    if (!isBack || contact.session === 0 || contact.isReported) return;
    contact.isReported = true;
    this.#onShared(id);
  }

  /** Losing one of several peers is that peer's fault; losing most of them, this node's. */
  #suspectIfCutOff(): void {
    const contacts = [...this.#members].flatMap((id) => this.#contacts.get(id) ?? []);
    const lost = contacts.filter(({ isLost }) => isLost);
    const enough = Math.max(contacts.length / 2, Math.min(2, contacts.length));
    if (lost.length >= enough) for (const contact of lost) contact.isSuspect = true;
  }

  #member(id: string): Contact | undefined {
    return this.#members.has(id) ? this.#contacts.get(id) : undefined;
  }
}
