import type { Msg } from "@nats-io/transport-node";
import { type Clock, ParsecError } from "@parsec/core";
import type { NatsUplink } from "@parsec/nats";
import type { Link, LinkHandler, LinkRequest } from "../link/link.ts";
import { LinkError } from "../link/link-error.ts";
import { type LinkItem, packItems, unpackItems } from "../link/link-frame.ts";
import { type PendingRequest, PendingRequests } from "../link/pending-requests.ts";
import { Reassembly } from "../link/reassembly.ts";
import { isNodeSubject } from "./nats-names.ts";

/*
 * <address>              requests to this process, and answers to its own
 * <address>.none.<n>.<m> the server's reply that requests n to m had no receiver
 */

export interface NatsLinkOptions {
  readonly uplink: NatsUplink;
  readonly address: string;
  readonly clock: Clock;
  /** Limit of one request or answer. */
  readonly maxBytes: number;
}

/** Items to be sent to one address at the end of this turn of the event loop. */
interface Outgoing {
  readonly requests: PendingRequest[];
  readonly answers: LinkItem[];
}

const smallestMessage = 1024;

/**
 * Sends requests between nodes as NATS messages. Items of one turn to the same node share a message; long ones are
 * split. The server reports at once when no node receives them.
 */
export class NatsLink implements Link {
  readonly address: string;
  readonly #options: NatsLinkOptions;
  readonly #pending: PendingRequests = new PendingRequests();
  readonly #outgoing: Map<string, Outgoing> = new Map();
  readonly #reassembly: Reassembly;
  #handler: LinkHandler | undefined = undefined;
  #flushing = false;
  #closed = false;

  constructor(options: NatsLinkOptions) {
    this.#options = options;
    this.address = options.address;
    const { clock, maxBytes } = options;
    this.#reassembly = new Reassembly({ clock, maxBytes, maxTotalBytes: maxBytes * 16 });
    options.uplink.listen({ down: (reason) => this.#failAll(reason.message) });
    this.#subscribe(this.address, (message) => this.#receive(message));
    this.#subscribe(`${this.address}.none.*.*`, (message) => this.#receiveNoResponders(message));
  }

  serve(handler: LinkHandler): void {
    this.#handler = handler;
  }

  request(address: string, body: Uint8Array, options: LinkRequest): Promise<Uint8Array> {
    const { uplink, maxBytes } = this.#options;
    if (this.#closed || uplink.client === undefined) {
      const code = this.#closed ? "CLOSED" : "PEER_UNREACHABLE";
      const message = this.#closed ? "the link was closed" : "not connected to NATS";
      return Promise.reject(new LinkError(code, message, { delivery: "not-delivered" }));
    }
    if (body.length > maxBytes) {
      const message = `a request must be at most ${maxBytes} bytes, got ${body.length}`;
      return Promise.reject(
        new LinkError("FRAME_TOO_LARGE", message, { delivery: "not-delivered" }),
      );
    }
    const { request, answer } = this.#pending.open({ address, body }, options);
    this.#outgoingTo(address).requests.push(request);
    return answer;
  }

  abandon(address: string): void {
    const reason = "the node has left or died";
    this.#pending.fail(
      (delivery) => new LinkError("PEER_UNREACHABLE", reason, { delivery }),
      address,
    );
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#flush();
    this.#failAll("the link was closed");
    await this.#options.uplink.close();
  }

  #subscribe(subject: string, receive: (message: Msg) => void): void {
    this.#options.uplink.subscribe(subject, (message) => {
      if (this.#closed) return;
      try {
        receive(message);
      } catch {
        // A malformed message is dropped: its sender gets no answer.
      }
    });
  }

  #outgoingTo(address: string): Outgoing {
    let outgoing = this.#outgoing.get(address);
    if (outgoing === undefined) {
      outgoing = { requests: [], answers: [] };
      this.#outgoing.set(address, outgoing);
      if (!this.#flushing) {
        this.#flushing = true;
        // After all other work of this turn, which may add items.
        setImmediate(() => this.#flush());
      }
    }
    return outgoing;
  }

  #flush(): void {
    this.#flushing = false;
    const outgoing = [...this.#outgoing];
    this.#outgoing.clear();
    for (const [address, { requests, answers }] of outgoing) {
      this.#send(address, requests, answers);
    }
  }

  #send(address: string, requests: readonly PendingRequest[], answers: readonly LinkItem[]): void {
    const { client } = this.#options.uplink;
    // While disconnected, requests fail by themselves, and answers cannot be delivered.
    if (client === undefined) return;
    const maxBytes = Math.max(client.info?.max_payload ?? 0, smallestMessage);
    const asked = requests
      .filter(({ isSettled }) => !isSettled)
      .map((request): LinkItem => {
        const number = this.#pending.number(request);
        return { type: "request", number, bytes: request.body };
      });
    for (const { bytes } of packItems(this.address, { items: answers, maxBytes })) {
      client.publish(address, bytes);
    }
    for (const { bytes, items } of packItems(this.address, { items: asked, maxBytes })) {
      const first = items[0]?.number ?? 0;
      const last = items.at(-1)?.number ?? 0;
      client.publish(address, bytes, { reply: `${this.address}.none.${first}.${last}` });
    }
  }

  #receive(message: Msg): void {
    const { from, items } = unpackItems(message.data);
    for (const item of items) {
      const isPiece = item.type === "request-piece" || item.type === "answer-piece";
      const bytes = isPiece ? this.#reassembly.take(from, item) : item.bytes;
      if (bytes === undefined) continue;
      const isRequest = item.type === "request" || item.type === "request-piece";
      if (!isRequest) this.#pending.get(item.number)?.succeed(bytes);
      else if (isNodeSubject(from)) void this.#answer(from, item.number, bytes);
    }
  }

  async #answer(to: string, number: number, request: Uint8Array): Promise<void> {
    const bytes = await this.#handler?.(request);
    if (bytes === undefined || this.#closed) return;
    this.#outgoingTo(to).answers.push({ type: "answer", number, bytes });
  }

  /** Takes the server's reply that no node receives these requests. */
  #receiveNoResponders(message: Msg): void {
    if (message.headers?.code !== 503) return;
    const [last = 0, first = 0] = message.subject.split(".").reverse().map(Number);
    // Numbers wrap around.
    const count = last >= first ? last - first + 1 : 0;
    for (let number = first; number < first + count; number++) {
      const text = "no node serves this address at the moment";
      const error = new LinkError("PEER_UNREACHABLE", text, { delivery: "not-delivered" });
      this.#pending.get(number)?.fail(error);
    }
  }

  #failAll(reason: string): void {
    const code = this.#closed ? "CLOSED" : "PEER_UNREACHABLE";
    this.#pending.fail((delivery) => new LinkError(code, reason, { delivery }));
  }
}

/** The limit of one message: a payload or a piece of a copy, and its head. */
export function linkLimit(maxPayloadBytes: number): number {
  if (maxPayloadBytes > 0xffff_0000) {
    throw new ParsecError("INVALID_ARGUMENT", "maxPayloadBytes must be less than 4 GiB");
  }
  return Math.max(maxPayloadBytes, 256 * 1024) + 64 * 1024;
}
