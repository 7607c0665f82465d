import { ParsecError } from "@parsec/core";
import {
  type ControlFrame,
  createPeerLink,
  type FrameExchange,
  type ManagedPeer,
  type OutgoingFrame,
  type PeerChannel,
  type PeerHealthChange,
  type PeerLink,
} from "@parsec/core/transport";
import type { NatsUplink } from "@parsec/nats";
import { MessageSigner } from "../nats-auth.ts";
import { noMember, notConnected } from "../nats-errors.ts";
import type { ResolvedNatsOptions } from "../nats-options.ts";
import { MessageSender } from "../nats-sender.ts";
import { readNumbers, writeNumbers } from "../nats-wire.ts";
import { type CallOptions, type CallWay, callPeer } from "./nats-call.ts";
import { FrameRequest } from "./nats-frame-request.ts";
import type { NatsInbox } from "./nats-inbox.ts";

/** Limit of invalidations and pings under way to one peer. */
const maxCalls = 1024;

/** Another node, to which this one sends frames. */
export function createNatsPeer(
  peerId: string,
  options: ResolvedNatsOptions,
  parts: {
    readonly uplink: NatsUplink;
    readonly inbox: NatsInbox;
    readonly onChange: (change: PeerHealthChange) => void;
  },
): ManagedPeer {
  const { limits } = options;
  const channel = new NatsChannel(peerId, options, parts);
  const link: PeerLink = createPeerLink({
    ...options,
    peerId,
    channel,
    limits: {
      ...limits,
      // A frame of lookups fits into one message of the server that this node is connected to now.
      get maxFrameBytes(): number {
        return Math.min(limits.maxFrameBytes, channel.room);
      },
    },
    // Control frames may take several.
    controlLimits: limits,
    maxLookupsPerFrame: limits.maxLookupsSent,
    maxQueued: limits.maxQueued,
    maxUnheardFrames: limits.maxUnanswered,
    maxOpenFrames: limits.maxOpen,
    onChange: parts.onChange,
  });
  return {
    id: peerId,
    lookup: (lookup, callOptions) => link.lookup(lookup, callOptions),
    invalidate: (invalidation, callOptions) => link.invalidate(invalidation, callOptions),
    handOver: (part, callOptions) => link.handOver(part, callOptions),
    probe: () => link.probe(),
    close: () => link.close(),
    async remove() {
      const cancelTimer = channel.remove();
      await link.close();
      cancelTimer();
    },
  };
}

/** Sends frames as messages to the peer's subject, each with its own reply subject. */
class NatsChannel implements PeerChannel {
  readonly #peerId: string;
  readonly #options: ResolvedNatsOptions;
  readonly #uplink: NatsUplink;
  readonly #way: CallWay;
  #calls = 0;
  #cancelAudit: (() => void) | undefined = undefined;
  #closed = false;
  #removed = false;

  constructor(
    peerId: string,
    options: ResolvedNatsOptions,
    parts: { readonly uplink: NatsUplink; readonly inbox: NatsInbox },
  ) {
    this.#peerId = peerId;
    this.#options = options;
    this.#uplink = parts.uplink;
    const { clock, sender: session, secrets, subjects } = options;
    const [secret] = secrets;
    const signer =
      secret === undefined ? undefined : new MessageSigner({ secret, wallNow: Date.now });
    const sender = new MessageSender({ uplink: parts.uplink, session, signer });
    this.#way = { peerId, subject: subjects.askOf(peerId), inbox: parts.inbox, sender, clock };
  }

  /** Bytes of a frame that fit into one message. */
  get room(): number {
    return this.#way.sender.room;
  }

  /** A lost connection to NATS does not count against the peer, which can be used again at once after a reconnect. */
  refusal(): ParsecError | undefined {
    if (this.#removed) return noMember(this.#peerId);
    if (this.#uplink.connected || this.#closed) return undefined;
    return notConnected(this.#peerId, this.#uplink.lastError);
  }
  send(frame: OutgoingFrame): FrameExchange {
    const request = new FrameRequest(frame, this.#way);
    this.#auditLater();
    return request;
  }

  control({ bytes, timeoutMs, signal }: ControlFrame): Promise<Uint8Array> {
    return this.#call({ kind: "ask", body: bytes, timeoutMs, signal });
  }

  cancel({ bytes }: { readonly bytes: Buffer }): void {
    const { subject, sender, peerId } = this.#way;
    try {
      sender.ask(bytes, { subject, peerId });
    } catch {
      // The owner then goes on loading; its own timeout ends that.
    }
  }

  /** The peer is not a member any more: calls under way get a last time limit, which the returned function cancels. */
  remove(): () => void {
    this.#removed = true;
    const { clock, closeTimeoutMs } = this.#options;
    return clock.schedule(closeTimeoutMs * 0.9, () => {
      this.#way.inbox.failAllTo(this.#peerId, noMember(this.#peerId));
    });
  }

  close(): void {
    this.#closed = true;
    this.#cancelAudit?.();
    this.#cancelAudit = undefined;
  }

  async ping(signal: AbortSignal): Promise<void> {
    // The state of the peer is unknown while this node itself is disconnected.
    if (!this.#uplink.connected) return;
    const { pingTimeoutMs } = this.#options.health;
    await this.#call({ kind: "ping", body: new Uint8Array(0), timeoutMs: pingTimeoutMs, signal });
  }

  async #call(options: CallOptions): Promise<Buffer> {
    if (this.#calls >= maxCalls) {
      throw new ParsecError("OVERLOADED", `${maxCalls} requests to ${this.#peerId} are under way`);
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
   * NATS delivers at most once: a request or its answer is lost when the peer's connection breaks although the peer is
   * alive. So pings list the open requests, and those that the peer does not know fail. Answers that it sent before
   * arrive before the answer to the ping.
   */
  #audit(): void {
    const { inbox, sender } = this.#way;
    const { clock, health } = this.#options;
    const open = inbox.openTo(this.#peerId);
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
        // The liveness check handles silence.
      },
    );
  }
}
