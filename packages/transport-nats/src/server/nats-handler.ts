import type { Msg } from "@nats-io/transport-node";
import { isParsecError, ParsecError, type PeerHost } from "@parsec/core";
import {
  createFrameServer,
  encodeRefusal,
  type FrameServer,
  requestKind,
} from "@parsec/core/transport";
import type { NatsUplink } from "@parsec/nats";
import { MessageSigner, type MessageVerifier } from "../nats-auth.ts";
import type { ResolvedNatsOptions } from "../nats-options.ts";
import { MessageSender } from "../nats-sender.ts";
import { type Message, readMessage, readNumbers, writeNumbers } from "../nats-wire.ts";
import { PartialRequests } from "./nats-body.ts";
import { AnswerStream } from "./nats-frame-endpoint.ts";
import type { Refusals } from "./nats-refusals.ts";

/** Requests that one ping may list. */
const maxPinged = 16_384;

/** The server side of a node: authenticates requests and passes them to the cache. */
export class NatsHandler {
  readonly #options: ResolvedNatsOptions;
  readonly #subject: string;
  readonly #verifier: MessageVerifier | undefined;
  readonly #refusals: Refusals;
  readonly #sender: MessageSender;
  /** Sends unsigned messages, for refusals to nodes that do not share a secret. */
  readonly #unsigned: MessageSender;
  readonly #partials: PartialRequests;
  /** Requests being answered, by reply subject. */
  readonly #served: Map<string, AnswerStream> = new Map();
  readonly #subscription: { end(): Promise<void> };
  #host: PeerHost | undefined = undefined;
  #frames: FrameServer<Buffer> | undefined = undefined;
  #closed = false;
  #onEmpty: (() => void) | undefined = undefined;

  constructor(
    options: ResolvedNatsOptions,
    parts: {
      readonly uplink: NatsUplink;
      readonly verifier: MessageVerifier | undefined;
      readonly refusals: Refusals;
    },
  ) {
    this.#options = options;
    const { subjects, nodeId, sender: session, secrets, clock, limits } = options;
    const { uplink } = parts;
    this.#verifier = parts.verifier;
    this.#refusals = parts.refusals;
    const [secret] = secrets;
    const signer =
      secret === undefined ? undefined : new MessageSigner({ secret, wallNow: Date.now });
    this.#sender = new MessageSender({ uplink, session, signer });
    this.#unsigned = new MessageSender({ uplink, session, signer: undefined });
    this.#partials = new PartialRequests(clock, limits);
    this.#subject = subjects.askOf(nodeId);
    // No queue group: every node has its own subject, and two nodes with one name are detected.
    this.#subscription = uplink.subscribe(this.#subject, (message) => this.#receive(message));
    uplink.listen({ down: () => this.#abandonAll() });
  }

  attach(host: PeerHost): void {
    if (this.#frames !== undefined) {
      throw new ParsecError(
        "INVALID_ARGUMENT",
        "peers must serve one cache only: they are attached already",
      );
    }
    const { limits, sender } = this.#options;
    this.#host = host;
    this.#frames = createFrameServer({ host, limits, sender });
  }

  /** Notifies the cache that it may have missed invalidations. */
  rejoined(): void {
    this.#host?.rejoined?.();
  }

  /** Refuses new requests, and lets those under way finish within the time limit. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#partials.clear();
    // Until then `cancel` and `more` messages are still received.
    if (this.#served.size > 0) await this.#finishServed();
    await this.#subscription.end();
  }

  async #finishServed(): Promise<void> {
    const { clock, closeTimeoutMs } = this.#options;
    const cancelTimer = clock.schedule(closeTimeoutMs, () => this.#abandonAll());
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    cancelTimer();
  }

  #receive(received: Msg): void {
    const { reply = "" } = received;
    if (reply !== "" && !this.#options.subjects.isReply(reply)) {
      this.#refusals.note("its reply subject is not that of a node of this cluster");
      return;
    }
    let message: Message;
    try {
      message = readMessage(received.data);
    } catch (error) {
      this.#refuse(this.#unsigned, reply, error);
      return;
    }
    if (!this.#isAuthentic(message, reply)) return;
    try {
      this.#handle(message, reply);
    } catch (error) {
      this.#refuse(this.#sender, reply, error);
    }
  }

  #isAuthentic(message: Message, reply: string): boolean {
    const verifier = this.#verifier;
    if (verifier === undefined) return true;
    if (!verifier.isGenuine(message, { subject: this.#subject, reply })) {
      const reason = message.signed ? "its signature is invalid" : "it is not signed";
      // Unsigned, so that a forged request cannot make this node end the requests of others.
      this.#refuse(this.#unsigned, reply, new ParsecError("UNAUTHENTICATED", reason));
      return false;
    }
    if (verifier.isFresh(message)) return true;
    // Not answered: a replay has the reply subject of another node.
    this.#refusals.note("it is too old or a replay");
    return false;
  }

  #handle(message: Message, reply: string): void {
    switch (message.kind) {
      case "ask":
        this.#ask(message, reply);
        break;
      case "more":
        if (message.body.length === 8) this.#served.get(reply)?.taken(message.body.readDoubleLE(0));
        break;
      case "cancel":
        this.#partials.forget(reply);
        this.#served.get(reply)?.abandon();
        break;
      case "ping":
        this.#pong(message, reply);
        break;
      default:
        throw new ParsecError("MALFORMED_FRAME", `"${message.kind}" is not a request`);
    }
  }

  #ask(message: Message, reply: string): void {
    if (this.#closed || this.#frames === undefined) {
      const why = this.#closed ? "this node is closing" : "this node has not attached a cache yet";
      throw new ParsecError("CLOSED", why);
    }
    // A repetition of a request that is being answered.
    if (this.#served.has(reply)) return;
    const frame = this.#partials.take(reply, message);
    if (frame === undefined) return;
    const kind = requestKind(frame);
    if (kind === "cancellation") this.#frames.cancellation(frame);
    else if (reply === "")
      throw new ParsecError("MALFORMED_FRAME", "a request has no reply subject");
    else if (kind === "invalidations") {
      this.#streamTo(reply).sendAll(this.#frames.invalidations(frame));
    } else if (kind === "entries") {
      this.#streamTo(reply).sendAll(this.#frames.entries(frame));
    } else this.#lookups(this.#frames, { frame, reply });
  }

  #lookups(
    frames: FrameServer<Buffer>,
    question: { readonly frame: Buffer; readonly reply: string },
  ): void {
    const { frame, reply } = question;
    if (this.#served.size >= this.#options.limits.maxRequests) {
      throw new ParsecError("OVERLOADED", `${this.#served.size} requests are under way`);
    }
    const stream = this.#streamTo(reply);
    const served = frames.lookups(frame, stream);
    if (stream.isOver) return;
    stream.served = served;
    this.#served.set(reply, stream);
  }

  #streamTo(reply: string): AnswerStream {
    return new AnswerStream({
      sender: this.#sender,
      reply,
      windowBytes: this.#options.limits.answerWindowBytes,
      onOver: () => this.#ended(reply),
    });
  }

  #ended(reply: string): void {
    if (this.#served.delete(reply) && this.#served.size === 0) this.#onEmpty?.();
  }

  /** Answers a ping with those of the listed requests that are not being answered here. */
  #pong(message: Message, reply: string): void {
    if (reply === "") return;
    const base = reply.slice(0, reply.lastIndexOf(".") + 1);
    const unknown = readNumbers(message.body, maxPinged).filter((number) => {
      const asked = base + number;
      return !this.#served.has(asked) && !this.#partials.has(asked);
    });
    this.#sender.sendWhole("pong", writeNumbers(unknown), {
      subject: reply,
      peerId: "the requesting node",
    });
  }

  #refuse(sender: MessageSender, reply: string, error: unknown): void {
    const typed = isParsecError(error)
      ? error
      : new ParsecError("INVALID_ARGUMENT", "the request failed unexpectedly", { cause: error });
    if (typed.code !== "CLOSED" && typed.code !== "OVERLOADED") this.#refusals.note(typed.message);
    if (reply === "") return;
    const body = encodeRefusal(typed);
    try {
      sender.sendWhole("refusal", body, { subject: reply, peerId: "the requesting node" });
    } catch {
      // The requesting node finds out by itself.
    }
  }

  #abandonAll(): void {
    this.#partials.clear();
    for (const stream of [...this.#served.values()]) stream.abandon();
  }
}
