import { ParsecError } from "@parsec/core";
import { encodeCancellation, type FrameExchange, type OutgoingFrame } from "@parsec/core/transport";
import { errorFromCall, refusedFrame, unreachable, wasConnectionLost } from "../grpc-errors.ts";
import { type AnswerMessage, decodeAnswerMessage } from "../grpc-wire.ts";
import type { ExchangeCall, GrpcConnections } from "./grpc-connections.ts";

/** A stream to one peer, with the frames that wait for answers on it. */
class OpenStream {
  readonly exchange: ExchangeCall;
  readonly frames: Map<number, OutgoingFrame> = new Map();
  /** The peer has taken the stream. */
  accepted = false;
  ended = false;

  constructor(exchange: ExchangeCall) {
    this.exchange = exchange;
  }
}

/**
 * The long-lived stream for all lookups to one peer. Opened by the first frame, and again by the next
 * one after it broke; many frames are under way at once and answered in any order.
 */
export class FrameStream {
  readonly #peerId: string;
  readonly #sender: number;
  readonly #connections: GrpcConnections;
  #current: OpenStream | undefined = undefined;
  /** Streams that take no more frames, and end with the last answer to those they have. */
  readonly #retired: Set<OpenStream> = new Set();
  /** Frames that were sent a second time. */
  readonly #repeated: WeakSet<OutgoingFrame> = new WeakSet();
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

  /** Tells the peer that lookups of a frame are cancelled. */
  forget({ frameId, bytes }: { readonly frameId: number; readonly bytes: Buffer }): void {
    const stream = this.#streamOf(frameId);
    if (stream === undefined) return;
    // More messages do not help a peer that reads none.
    if (stream.exchange.call.writableNeedDrain) return;
    this.#writeMessage(stream, bytes);
  }

  /** Has the next frame open a new stream. */
  retire(): void {
    const stream = this.#current;
    if (stream === undefined) return;
    this.#current = undefined;
    this.#retired.add(stream);
    this.#discardWhenDone(stream);
  }

  /** Ends everything at once; frames still under way are not told. */
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
    call.on("error", (error) => this.#broken(stream, error));
    call.on("end", () => this.#broken(stream, undefined));
    this.#current = stream;
    return stream;
  }

  #write(stream: OpenStream, frame: OutgoingFrame): void {
    stream.frames.set(frame.frameId, frame);
    this.#writeMessage(stream, frame.bytes);
  }

  /** How much is written is bounded by the number of frames that are not heard about. */
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
    this.forget({ frameId, bytes });
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
        throw new ParsecError("UNAUTHENTICATED", "its answer is not proved by the secret");
      }
      this.#answer(stream, decodeAnswerMessage(message));
    } catch (error) {
      this.#broken(stream, error);
    }
  }

  #answer(stream: OpenStream, answer: AnswerMessage): void {
    const { kind, frameId, body } = answer;
    const frame = stream.frames.get(frameId);
    // Nobody waits for it any more.
    if (frame === undefined) return;
    if (kind === "refusal") {
      this.#remove(stream, frameId);
      frame.fail(refusedFrame(this.#peerId, body));
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

  /** The stream is over; `error` is undefined when the peer ended it in good order. */
  #broken(stream: OpenStream, error: unknown): void {
    if (stream.ended) return;
    const frames = [...stream.frames.values()];
    this.#discard(stream);
    // A stream may end under our feet; a lookup that comes twice does no harm.
    const mayRepeat = stream.accepted && (error === undefined || wasConnectionLost(error));
    const failure = errorFromCall(this.#peerId, error ?? "it ended the stream");
    for (const frame of frames) {
      if (mayRepeat && !frame.wasHeard && !this.#repeated.has(frame) && !this.#closed) {
        this.#repeated.add(frame);
        this.#write(this.#openStream(), frame);
      } else frame.fail(failure);
    }
  }
}
