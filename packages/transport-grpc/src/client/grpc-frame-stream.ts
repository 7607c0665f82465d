import { ParsecError } from "@parsec/core";
import {
  encodeCancellation,
  type FrameExchange,
  type OutgoingFrame,
  readRefusal,
} from "@parsec/core/transport";
import { errorFromCall, unreachable, wasConnectionLost } from "../grpc-errors.ts";
import { type AnswerMessage, decodeAnswerMessage } from "../grpc-wire.ts";
import type { ExchangeCall, GrpcConnections } from "./grpc-connections.ts";

/** A stream to one peer, with the pending frames on it. */
class OpenStream {
  readonly exchange: ExchangeCall;
  readonly frames: Map<number, OutgoingFrame> = new Map();
  /** Whether the peer has accepted the stream. */
  accepted = false;
  ended = false;

  constructor(exchange: ExchangeCall) {
    this.exchange = exchange;
  }
}

/**
 * The long-lived stream for all lookups to one peer. The first frame opens it, and so does the next
 * frame after it was lost. Frames are pipelined and answered in any order.
 */
export class FrameStream {
  readonly #peerId: string;
  readonly #sender: number;
  readonly #connections: GrpcConnections;
  #current: OpenStream | undefined = undefined;
  /** Streams that accept no more frames and close after the last answer. */
  readonly #retired: Set<OpenStream> = new Set();
  /** Frames that have been retried. */
  readonly #retried: WeakSet<OutgoingFrame> = new WeakSet();
  #closed = false;

  constructor(options: {
    readonly peerId: string;
    readonly sender: number;
    readonly connections: GrpcConnections;
  }) {
    this.#peerId = options.peerId;
    this.#sender = options.sender;
    this.#connections = options.connections;
  }

  send(frame: OutgoingFrame): FrameExchange {
    this.#write(this.#openStream(), frame);
    return { cancel: () => this.#cancel(frame) };
  }

  /** Sends the cancellation of lookups of a frame. */
  sendCancellation({ frameId, bytes }: { readonly frameId: number; readonly bytes: Buffer }): void {
    const stream = this.#streamOf(frameId);
    if (stream === undefined) return;
    // The peer does not read: skip the cancellation.
    if (stream.exchange.call.writableNeedDrain) return;
    this.#writeMessage(stream, bytes);
  }

  /** Makes the next frame open a new stream. */
  retire(): void {
    const stream = this.#current;
    if (stream === undefined) return;
    this.#current = undefined;
    this.#retired.add(stream);
    this.#discardWhenDone(stream);
  }

  /** Closes all streams at once. Pending frames are not failed. */
  close(): void {
    this.#closed = true;
    this.retire();
    for (const stream of [...this.#retired]) this.#discard(stream);
  }

  #openStream(): OpenStream {
    if (this.#closed) {
      throw new ParsecError("CLOSED", `the connection to ${this.#peerId} was closed`);
    }
    if (this.#current !== undefined) return this.#current;
    const stream = new OpenStream(this.#connections.openExchange());
    const { call } = stream.exchange;
    call.on("metadata", () => {
      stream.accepted = true;
    });
    call.on("data", (message: Buffer) => this.#receive(stream, message));
    call.on("error", (error) => this.#onEnd(stream, error));
    call.on("end", () => this.#onEnd(stream, undefined));
    this.#current = stream;
    return stream;
  }

  #write(stream: OpenStream, frame: OutgoingFrame): void {
    stream.frames.set(frame.frameId, frame);
    this.#writeMessage(stream, frame.bytes);
  }

  /** Needs no back-pressure: the number of unanswered frames bounds what is written. */
  #writeMessage(stream: OpenStream, message: Buffer): void {
    const { call, seal } = stream.exchange;
    call.write(seal === undefined ? message : seal.seal(message));
  }

  #streamOf(frameId: number): OpenStream | undefined {
    if (this.#current?.frames.has(frameId)) return this.#current;
    for (const stream of this.#retired) if (stream.frames.has(frameId)) return stream;
    return undefined;
  }

  #cancel(frame: OutgoingFrame): void {
    const { frameId } = frame;
    const stream = this.#streamOf(frameId);
    if (stream === undefined) return;
    const indexes = Array.from({ length: frame.count }, (_, index) => index);
    const bytes = encodeCancellation({ frameId, sender: this.#sender, indexes });
    this.sendCancellation({ frameId, bytes });
    this.#remove(stream, frameId);
  }

  #remove(stream: OpenStream, frameId: number): void {
    stream.frames.delete(frameId);
    this.#discardWhenDone(stream);
  }

  #receive(stream: OpenStream, sealed: Buffer): void {
    if (stream.ended) return;
    const { seal } = stream.exchange;
    const message = seal === undefined ? sealed : seal.open(sealed);
    try {
      if (message === undefined) {
        throw new ParsecError("UNAUTHENTICATED", "response signature is invalid");
      }
      this.#answer(stream, decodeAnswerMessage(message));
    } catch (error) {
      this.#onEnd(stream, error);
    }
  }

  #answer(stream: OpenStream, answer: AnswerMessage): void {
    const { kind, frameId, body } = answer;
    const frame = stream.frames.get(frameId);
    // The frame was cancelled.
    if (frame === undefined) return;
    if (kind === "refusal") {
      this.#remove(stream, frameId);
      frame.fail(readRefusal(this.#peerId, body));
      return;
    }
    try {
      frame.receive(body);
      if (kind === "piece") return;
      this.#remove(stream, frameId);
      frame.finish();
    } catch (error) {
      this.#remove(stream, frameId);
      frame.fail(unreachable(this.#peerId, error));
    }
  }

  #discardWhenDone(stream: OpenStream): void {
    if (stream.frames.size === 0 && this.#retired.has(stream)) this.#discard(stream);
  }

  #discard(stream: OpenStream): void {
    stream.ended = true;
    if (this.#current === stream) this.#current = undefined;
    this.#retired.delete(stream);
    stream.exchange.discard();
  }

  /** Handles the end of a stream; `error` is undefined when the peer closed it normally. */
  #onEnd(stream: OpenStream, error: unknown): void {
    if (stream.ended) return;
    const frames = [...stream.frames.values()];
    this.#discard(stream);
    // Lookups are idempotent, so those without an answer are retried once on a new stream.
    const mayRetry = stream.accepted && (error === undefined || wasConnectionLost(error));
    const failure = errorFromCall(this.#peerId, error ?? "the peer closed the stream");
    for (const frame of frames) {
      if (mayRetry && !frame.wasHeard && !this.#retried.has(frame) && !this.#closed) {
        this.#retried.add(frame);
        this.#write(this.#openStream(), frame);
      } else frame.fail(failure);
    }
  }
}
