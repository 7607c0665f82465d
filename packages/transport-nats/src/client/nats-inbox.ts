import type { Msg } from "@nats-io/transport-node";
import type { Clock, ParsecError } from "@parsec/core";
import { readRefusal } from "@parsec/core/transport";
import type { NatsUplink } from "@parsec/nats";
import type { MessageVerifier } from "../nats-auth.ts";
import { lost, noResponders, notConnected, unreachable } from "../nats-errors.ts";
import type { NatsSubjects } from "../nats-subjects.ts";
import { type Message, readMessage } from "../nats-wire.ts";

/** One request whose answer is awaited. */
export interface Exchange {
  readonly peerId: string;
  /** Whether the peer keeps track of the request until it has answered, so that a ping can list it. */
  readonly remembered: boolean;
  /** Called with a piece of the answer. May throw when it is malformed; {@link failed} is called then. */
  received(message: Message): void;
  /** Called when there will be no answer. `offline`: this node lost its own connection. */
  failed(error: ParsecError, offline: boolean): void;
}

/** An exchange that the inbox keeps track of. */
export interface OpenExchange {
  readonly number: number;
  /** The subject of its answers. */
  readonly reply: string;
}

interface Entry extends OpenExchange {
  readonly exchange: Exchange;
  readonly askedAt: number;
  nextPiece: number;
  /** The session that answers: if two nodes share a name, their pieces must not mix. */
  responder: number;
}

/**
 * The reply subject of this node: one subscription for the answers to all its requests, which are distinguished by
 * the number at the end of the subject. The server also replies there, at once, when a request has no receiver.
 */
export class NatsInbox {
  readonly #uplink: NatsUplink;
  readonly #clock: Clock;
  readonly #base: string;
  readonly #verifier: MessageVerifier | undefined;
  readonly #onRefused: (from: string) => void;
  readonly #open: Map<number, Entry> = new Map();
  readonly #subscription: { end(): Promise<void> };
  #nextNumber = 1;

  constructor(options: {
    readonly uplink: NatsUplink;
    readonly clock: Clock;
    readonly subjects: NatsSubjects;
    readonly verifier: MessageVerifier | undefined;
    /** Called when the signature of an answer is invalid. */
    readonly onRefused: (from: string) => void;
  }) {
    this.#uplink = options.uplink;
    this.#clock = options.clock;
    this.#base = `${options.subjects.replyBase}.`;
    this.#verifier = options.verifier;
    this.#onRefused = options.onRefused;
    this.#subscription = this.#uplink.subscribe(`${this.#base}*`, (message) => {
      this.#receive(message);
    });
    this.#uplink.listen({ down: () => this.#failAll() });
  }

  /** Receives answers for `exchange` until it is closed, or fails. */
  open(exchange: Exchange): OpenExchange {
    const number = this.#nextNumber++;
    const reply = this.#base + number;
    const askedAt = this.#clock.now();
    const entry = { number, reply, exchange, askedAt, nextPiece: 0, responder: 0 };
    this.#open.set(number, entry);
    return entry;
  }

  /** Ignores further answers. */
  close(open: OpenExchange): void {
    this.#open.delete(open.number);
  }

  /** Requests that a peer has not answered yet, oldest first. */
  openTo(peerId: string): { readonly number: number; readonly askedAt: number }[] {
    return [...this.#open.values()].filter(
      ({ exchange }) => exchange.peerId === peerId && exchange.remembered,
    );
  }

  /** Fails a request that the peer does not know, because a message was lost. */
  loseIfOpen(number: number): void {
    const entry = this.#open.get(number);
    if (entry !== undefined)
      this.#fail(entry, lost(entry.exchange.peerId, "a request or its answer"));
  }

  /** Fails all requests that a peer has not answered. */
  failAllTo(peerId: string, error: ParsecError): void {
    for (const entry of [...this.#open.values()]) {
      if (entry.exchange.peerId === peerId) this.#fail(entry, error);
    }
  }

  async end(): Promise<void> {
    await this.#subscription.end();
  }

  #receive(received: Msg): void {
    const entry = this.#open.get(Number(received.subject.slice(this.#base.length)));
    // Late, cancelled, or not an answer to this node.
    if (entry === undefined) return;
    const { headers } = received;
    if (headers !== undefined && headers.code === 503 && received.data.length === 0) {
      this.#fail(entry, noResponders(entry.exchange.peerId));
      return;
    }
    let message: Message;
    try {
      message = readMessage(received.data);
    } catch {
      this.#onRefused(entry.exchange.peerId);
      return;
    }
    const verifier = this.#verifier;
    if (
      verifier !== undefined &&
      !verifier.isGenuine(message, { subject: entry.reply, reply: "" })
    ) {
      this.#onRefused(entry.exchange.peerId);
      return;
    }
    this.#deliver(entry, message);
  }

  #deliver(entry: Entry, message: Message): void {
    const { exchange } = entry;
    if (entry.responder === 0) entry.responder = message.session;
    // From another node with the same name, or a repetition.
    if (entry.responder !== message.session || message.piece < entry.nextPiece) return;
    if (message.kind === "refusal") {
      this.#fail(entry, readRefusal(exchange.peerId, message.body));
      return;
    }
    if (message.piece > entry.nextPiece) {
      this.#fail(entry, lost(exchange.peerId, "a piece of its answer"));
      return;
    }
    entry.nextPiece++;
    if (message.last) this.#open.delete(entry.number);
    try {
      exchange.received(message);
    } catch (error) {
      this.#fail(entry, unreachable(exchange.peerId, error));
    }
  }

  #fail(entry: Entry, error: ParsecError): void {
    this.#open.delete(entry.number);
    entry.exchange.failed(error, false);
  }

  #failAll(): void {
    for (const entry of [...this.#open.values()]) {
      this.#open.delete(entry.number);
      const { exchange } = entry;
      exchange.failed(notConnected(exchange.peerId, this.#uplink.lastError), true);
    }
  }
}
