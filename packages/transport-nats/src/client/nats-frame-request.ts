import type { ParsecError } from "@parsec/core";
import type { FrameExchange, OutgoingFrame } from "@parsec/core/transport";
import type { MessageSender } from "../nats-sender.ts";
import type { Message } from "../nats-wire.ts";
import type { Exchange, NatsInbox, OpenExchange } from "./nats-inbox.ts";

/** One request with a frame of lookups, and its answers as they arrive. */
export class FrameRequest implements FrameExchange, Exchange {
  readonly peerId: string;
  readonly remembered = true;
  readonly #subject: string;
  readonly #frame: OutgoingFrame;
  readonly #inbox: NatsInbox;
  readonly #sender: MessageSender;
  readonly #open: OpenExchange;
  #takenBytes = 0;
  #over = false;

  /** Sends the frame. Throws `PEER_UNREACHABLE` while disconnected. */
  constructor(
    frame: OutgoingFrame,
    way: {
      readonly peerId: string;
      readonly subject: string;
      readonly inbox: NatsInbox;
      readonly sender: MessageSender;
    },
  ) {
    this.peerId = way.peerId;
    this.#subject = way.subject;
    this.#frame = frame;
    this.#inbox = way.inbox;
    this.#sender = way.sender;
    this.#open = this.#inbox.open(this);
    try {
      this.#sender.ask(frame.bytes, this.#destination());
    } catch (error) {
      this.#inbox.close(this.#open);
      throw error;
    }
  }

  received(message: Message): void {
    const { body, last } = message;
    this.#frame.receive(body);
    this.#takenBytes += body.length;
    if (last) {
      this.#over = true;
      this.#frame.finish();
    } else if (message.wantsMore === true && !this.#over) this.#askForMore();
  }

  failed(error: ParsecError, offline: boolean): void {
    this.#over = true;
    // A lost connection of this node does not count as a failure of the peer.
    if (offline) this.#frame.rejectAll(error);
    else this.#frame.fail(error);
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#inbox.close(this.#open);
    this.#control("cancel", new Uint8Array(0));
  }

  #askForMore(): void {
    const body = Buffer.allocUnsafe(8);
    body.writeDoubleLE(this.#takenBytes, 0);
    this.#control("more", body);
  }

  #control(kind: "more" | "cancel", body: Uint8Array): void {
    try {
      this.#sender.sendWhole(kind, body, this.#destination());
    } catch {
      // While disconnected there are no answers to continue or to cancel.
    }
  }

  #destination(): { readonly subject: string; readonly reply: string; readonly peerId: string } {
    return { subject: this.#subject, reply: this.#open.reply, peerId: this.peerId };
  }
}
