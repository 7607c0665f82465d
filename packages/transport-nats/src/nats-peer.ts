import { randomInt } from "node:crypto";
import {
  encodeCancellation,
  encodeEntries,
  type FrameChannel,
  type FrameExchange,
  type FrameInFlight,
  isParsecError,
  ParsecError,
  type Peer,
  type PeerAnswer,
  type PeerCallOptions,
  type PeerHandOver,
  type PeerHealthChange,
  type PeerInvalidation,
  PeerLink,
  type PeerLookup,
  readTakenOver,
} from "@parsec/core";
import type { NatsUplink } from "@parsec/nats";
import { MessageSigner, toKey } from "./nats-auth.ts";
import { type CallOptions, type CallWay, callPeer } from "./nats-call.ts";
import { noMember, notConnected, unreachable } from "./nats-errors.ts";
import { FrameRequest } from "./nats-frame-request.ts";
import type { NatsInbox } from "./nats-inbox.ts";
import type { ResolvedNatsOptions } from "./nats-options.ts";
import { MessageSender } from "./nats-sender.ts";
import { readNumbers, writeNumbers } from "./nats-wire.ts";

/** Invalidations and pings that may be under way. */
const maxCalls = 1024;

/** Another node, asked by frames. */
export class NatsPeer implements Peer, FrameChannel {
  readonly id: string;
  readonly #options: ResolvedNatsOptions;
  readonly #uplink: NatsUplink;
  readonly #way: CallWay;
  readonly #link: PeerLink;
  #calls = 0;
  #cancelAudit: (() => void) | undefined = undefined;
  #closed = false;
  #removed = false;

  constructor(
    id: string,
    options: ResolvedNatsOptions,
    parts: {
      readonly uplink: NatsUplink;
      readonly inbox: NatsInbox;
      readonly onChange: (change: PeerHealthChange) => void;
    },
  ) {
    this.id = id;
    this.#options = options;
    this.#uplink = parts.uplink;
    const { clock, random, session, limits, health, secrets, subjects } = options;
    const [secret] = secrets;
    const signer =
      secret === undefined
        ? undefined
        : new MessageSigner({ key: toKey(secret), wallNow: Date.now });
    const sender = new MessageSender({ uplink: parts.uplink, session, signer });
    this.#way = { peerId: id, subject: subjects.askOf(id), inbox: parts.inbox, sender, clock };
    this.#link = new PeerLink({
      peerId: id,
      channel: this,
      tell: ({ bytes, timeoutMs, signal }, read) => this.#tell(bytes, { timeoutMs, signal, read }),
      ping: (signal) => this.#ping(signal),
      clock,
      random,
      sender: session,
      limits: {
        ...limits,
        // A frame fits into one message, as long as they are on the server that we are on now.
        get maxFrameBytes(): number {
          return Math.min(limits.maxFrameBytes, sender.room);
        },
      },
      // What is told may take several.
      tellLimits: limits,
      maxLookupsPerFrame: limits.maxLookupsSent,
      maxQueued: limits.maxQueued,
      maxUnheardFrames: limits.maxUnanswered,
      maxOpenFrames: limits.maxOpen,
      health,
      onChange: parts.onChange,
    });
  }

  lookup(lookup: PeerLookup, options?: PeerCallOptions): Promise<PeerAnswer> {
    if (this.#removed) return Promise.reject(noMember(this.id));
    // Not the peer's fault: it must not be left out, and be asked at once when the connection is back.
    if (!this.#uplink.connected && !this.#closed) {
      return Promise.reject(notConnected(this.id, this.#uplink.lastError));
    }
    return this.#link.lookup(lookup, options);
  }

  invalidate(
    invalidation: PeerInvalidation,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<void> {
    return this.#link.invalidate(invalidation, options);
  }

  async handOver(
    part: PeerHandOver,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<number> {
    const { limits, session } = this.#options;
    const frameId = randomInt(1, 2 ** 32);
    const body = encodeEntries({ frameId, sender: session, part }, limits);
    return this.#tell(body, { ...options, read: (answer) => readTakenOver(answer, frameId) });
  }

  /** Sends a frame that the peer has to apply, and waits until it says so. */
  async #tell<Outcome>(
    body: Buffer,
    options: PeerCallOptions & {
      readonly timeoutMs: number;
      readonly read: (answer: Buffer) => Outcome;
    },
  ): Promise<Outcome> {
    if (this.#removed) throw noMember(this.id);
    if (this.#closed) throw new ParsecError("CLOSED", `the connection to ${this.id} was closed`);
    const timeoutMs = this.#link.patience(options.timeoutMs);
    const { signal } = options;
    try {
      const answer = await this.#call({ kind: "ask", body, timeoutMs, signal });
      const outcome = options.read(answer);
      this.#link.answered();
      return outcome;
    } catch (error) {
      const failure = isParsecError(error) && error.code !== "MALFORMED_FRAME";
      const typed = failure ? error : unreachable(this.id, error);
      if (typed.code === "PEER_UNREACHABLE" && this.#uplink.connected) this.#link.failed(typed);
      throw typed;
    }
  }

  send(frame: FrameInFlight): FrameExchange {
    const request = new FrameRequest(frame, this.#way);
    this.#auditLater();
    return request;
  }

  forget(frameId: number, indexes: readonly number[]): void {
    const { session } = this.#options;
    const { subject, sender, peerId } = this.#way;
    try {
      sender.ask(encodeCancellation({ frameId, sender: session, indexes }), { subject, peerId });
    } catch {
      // Then the owner loads in vain; its own timeout ends that.
    }
  }

  probe(): void {
    this.#link.probe();
  }

  /** Takes no more calls, lets those under way finish for a while, and rejects the rest with `CLOSED`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#link.close(this.#options.closeTimeoutMs);
    this.#cancelAudit?.();
    this.#cancelAudit = undefined;
  }

  /** The same for a peer that is no member any more: to those who wait, it is unreachable. */
  async remove(): Promise<void> {
    this.#removed = true;
    const { clock, closeTimeoutMs } = this.#options;
    const cancelTimer = clock.schedule(closeTimeoutMs * 0.9, () => {
      this.#way.inbox.failAllTo(this.id, noMember(this.id));
    });
    await this.close();
    cancelTimer();
  }

  async #ping(signal: AbortSignal): Promise<void> {
    // Nothing can be said about the peer while this node itself is cut off.
    if (!this.#uplink.connected) return;
    const { pingTimeoutMs } = this.#options.health;
    await this.#call({ kind: "ping", body: new Uint8Array(0), timeoutMs: pingTimeoutMs, signal });
  }

  async #call(options: CallOptions): Promise<Buffer> {
    if (this.#calls >= maxCalls) {
      throw new ParsecError("OVERLOADED", `${maxCalls} requests to ${this.id} are under way`);
    }
    this.#calls++;
    try {
      const answer = callPeer(this.#way, options);
      if (options.kind === "ask") this.#auditLater();
      return await answer;
    } finally {
      this.#calls--;
    }
  }

  #auditLater(): void {
    if (this.#cancelAudit !== undefined || this.#closed) return;
    const { clock, health } = this.#options;
    this.#cancelAudit = clock.schedule(health.silenceMs, () => {
      this.#cancelAudit = undefined;
      this.#audit();
    });
  }

  /**
   * NATS delivers at most once: a question or its answer is lost when the peer's connection breaks,
   * though the peer lives on. So a peer is asked about questions that stay open, and those that it knows
   * nothing of fail. What it answered before comes before what it says about them.
   */
  #audit(): void {
    const { inbox, sender } = this.#way;
    const { clock, health } = this.#options;
    const open = inbox.openTo(this.id);
    if (open.length === 0) return;
    this.#auditLater();
    const due = clock.now() - health.silenceMs;
    const overdue = open
      .filter(({ askedAt }) => askedAt <= due)
      .slice(0, Math.floor(sender.room / 8))
      .map(({ number }) => number);
    if (overdue.length === 0) return;
    const body = writeNumbers(overdue);
    this.#call({ kind: "ping", body, timeoutMs: health.pingTimeoutMs }).then(
      (answer) => {
        const unknown = readNumbers(answer, overdue.length);
        for (const number of overdue) if (unknown.includes(number)) inbox.loseIfOpen(number);
      },
      () => {
        // Silence is judged elsewhere.
      },
    );
  }
}
