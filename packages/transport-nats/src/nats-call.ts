import { type Clock, ParsecError } from "@parsec/core";
import type { Exchange, NatsInbox, OpenExchange } from "./nats-inbox.ts";
import type { MessageSender } from "./nats-sender.ts";
import type { Message, MessageKind } from "./nats-wire.ts";

/** The longest answer that is collected; invalidations and pings have shorter ones. */
const maxAnswerBytes = 64 * 1024;

export interface CallOptions {
  readonly kind: Extract<MessageKind, "ask" | "ping">;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface CallWay {
  readonly peerId: string;
  readonly subject: string;
  readonly inbox: NatsInbox;
  readonly sender: MessageSender;
  readonly clock: Clock;
}

/** Sends a short request to a peer and collects the whole answer. Rejects with `PEER_UNREACHABLE`, `TIMEOUT`, `ABORTED` or `OVERLOADED`. */
export function callPeer(way: CallWay, options: CallOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { signal } = options;
    if (signal?.aborted) reject(abortedError(signal));
    else new Call(way, options, { resolve, reject }).send();
  });
}

interface CallSettling {
  readonly resolve: (answer: Buffer) => void;
  readonly reject: (error: unknown) => void;
}

class Call implements Exchange {
  readonly peerId: string;
  readonly remembered: boolean;
  readonly #way: CallWay;
  readonly #options: CallOptions;
  readonly #settle: CallSettling;
  readonly #pieces: Buffer[] = [];
  readonly #open: OpenExchange;
  readonly #cancelTimer: () => void;
  #bytes = 0;

  constructor(way: CallWay, options: CallOptions, settle: CallSettling) {
    this.peerId = way.peerId;
    this.remembered = options.kind === "ask";
    this.#way = way;
    this.#options = options;
    this.#settle = settle;
    this.#open = way.inbox.open(this);
    const { timeoutMs, signal } = options;
    this.#cancelTimer = way.clock.schedule(timeoutMs, () => {
      const message = `${way.peerId} did not answer within ${timeoutMs} ms`;
      this.#end(new ParsecError("TIMEOUT", message));
    });
    signal?.addEventListener("abort", this, { once: true });
  }

  send(): void {
    const { subject, sender, peerId } = this.#way;
    const { kind, body } = this.#options;
    const to = { subject, peerId, reply: this.#open.reply };
    try {
      if (kind === "ask") sender.ask(body, to);
      else sender.sendWhole(kind, body, to);
    } catch (error) {
      this.#end(error);
    }
  }

  received(message: Message): void {
    this.#bytes += message.body.length;
    if (this.#bytes > maxAnswerBytes) {
      throw new ParsecError("FRAME_TOO_LARGE", `it must be at most ${maxAnswerBytes} bytes`);
    }
    this.#pieces.push(message.body);
    if (!message.last) return;
    this.#release();
    this.#settle.resolve(Buffer.concat(this.#pieces));
  }

  failed(error: ParsecError): void {
    this.#end(error);
  }

  handleEvent(): void {
    this.#end(abortedError(this.#options.signal));
  }

  #end(error: unknown): void {
    this.#release();
    this.#settle.reject(error);
  }

  #release(): void {
    this.#cancelTimer();
    this.#way.inbox.close(this.#open);
    this.#options.signal?.removeEventListener("abort", this);
  }
}

function abortedError(signal: AbortSignal | undefined): ParsecError {
  return new ParsecError("ABORTED", "aborted by the caller", { cause: signal?.reason });
}
