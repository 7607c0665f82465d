import type { AnswerSink, ServedFrame } from "@parsec/core/transport";
import type { MessageSender } from "../nats-sender.ts";

/**
 * Sends the answers to one frame of lookups: in one message, or in pieces within the server's limit. Limits how many
 * bytes are under way, because the server disconnects a receiver that falls behind.
 */
export class AnswerStream implements AnswerSink {
  readonly #sender: MessageSender;
  readonly #to: { readonly subject: string; readonly peerId: string };
  readonly #windowBytes: number;
  /** The longest message; answers up to this length are sent without flow control. */
  readonly #halfWindow: number;
  readonly #onOver: () => void;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #pumpScheduled = false;
  /** Whether the producer of answers is paused. */
  #paused = false;
  #ended = false;
  #over = false;
  #piece = 0;
  #sentBytes = 0;
  #takenBytes = 0;
  served: ServedFrame | undefined = undefined;

  constructor(options: {
    readonly sender: MessageSender;
    /** The reply subject of the request. */
    readonly reply: string;
    readonly windowBytes: number;
    /** Called when everything was sent, or cannot be. */
    readonly onOver: () => void;
  }) {
    this.#sender = options.sender;
    this.#to = { subject: options.reply, peerId: "the requesting node" };
    this.#windowBytes = options.windowBytes;
    this.#halfWindow = Math.floor(options.windowBytes / 2);
    this.#onOver = options.onOver;
  }

  get isOver(): boolean {
    return this.#over;
  }

  sendAll(bytes: Buffer): void {
    this.#ended = true;
    this.#enqueue(bytes);
    this.#pump();
  }

  send(bytes: Buffer): boolean {
    this.#enqueue(bytes);
    // Deferred, because the end may follow in the same turn and then shares the message.
    if (!this.#pumpScheduled) {
      this.#pumpScheduled = true;
      queueMicrotask(() => this.#pump());
    }
    this.#paused = this.#underWay + this.#queuedBytes > this.#windowBytes;
    return !this.#paused;
  }

  finish(): void {
    this.#ended = true;
    this.#pump();
  }

  /** The requesting node has received that many bytes. */
  taken(bytes: number): void {
    if (!(bytes > this.#takenBytes && bytes <= this.#sentBytes)) return;
    this.#takenBytes = bytes;
    this.#pump();
  }

  /** Stops, because the requesting node or the connection is gone. */
  abandon(): void {
    if (this.#over) return;
    this.#over = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.served?.disconnected();
    this.#onOver();
  }

  get #underWay(): number {
    return this.#sentBytes - this.#takenBytes;
  }

  #enqueue(bytes: Buffer): void {
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
  }

  #pump(): void {
    this.#pumpScheduled = false;
    if (this.#over) return;
    try {
      while (this.#queue.length > 0) {
        if (!this.#sendPiece(this.#queue[0] as Buffer)) return;
      }
      if (this.#ended && !this.#over) this.#sendLast(Buffer.alloc(0));
    } catch {
      // Requests fail by themselves on the other node when either connection is lost.
      this.abandon();
      return;
    }
    if (!this.#paused || this.#over) return;
    this.#paused = false;
    this.served?.resume();
  }

  /** Sends the next piece of the first buffer in the queue. False when the requesting node must receive some first. */
  #sendPiece(bytes: Buffer): boolean {
    const part = bytes.subarray(0, Math.min(this.#sender.roomFor(this.#to), this.#halfWindow));
    if (this.#underWay > 0 && this.#underWay + part.length > this.#windowBytes) return false;
    this.#queuedBytes -= part.length;
    if (part.length === bytes.length) this.#queue.shift();
    else this.#queue[0] = bytes.subarray(part.length);
    if (this.#ended && this.#queue.length === 0) {
      this.#sendLast(part);
      return true;
    }
    this.#sentBytes += part.length;
    const head = {
      kind: "answer",
      piece: this.#piece++,
      last: false,
      wantsMore: this.#underWay > this.#halfWindow,
    } as const;
    this.#sender.send(head, part, this.#to);
    return true;
  }

  #sendLast(part: Buffer): void {
    this.#over = true;
    this.#sender.send({ kind: "answer", piece: this.#piece, last: true }, part, this.#to);
    this.#onOver();
  }
}
