import type { ServerDuplexStream } from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import {
  type AnswerSink,
  encodeRefusal,
  type FrameServer,
  requestKind,
  type ServedFrame,
} from "@parsec/core/transport";
import { statusOf } from "../grpc-errors.ts";
import type { StreamSeal } from "../grpc-seal.ts";
import { encodeAnswerMessage, frameIdOf, maxAnswerMessageBytes } from "../grpc-wire.ts";
import type { Workload } from "./grpc-workload.ts";

const nothing: Buffer = Buffer.alloc(0);

/** What a stream needs of this node. */
export interface StreamOwner {
  readonly frames: FrameServer;
  readonly workload: Workload;
  /** The reason for refusing frames at the moment; undefined when they are accepted. */
  refusal(): ParsecError | undefined;
  /** Reports a message with an invalid signature, and returns the error that ends the stream. */
  tampered(): ParsecError;
}

/** The owner's side of one client's stream. Receives frames, and sends answers as they become ready. */
export class FrameEndpoint {
  readonly #call: ServerDuplexStream<Buffer, Buffer>;
  readonly #seal: StreamSeal | undefined;
  readonly #owner: StreamOwner;
  /** Frames with pending answers. */
  readonly #open: Set<AnswerStream> = new Set();
  #isFull = false;
  #halfClosed = false;
  #ended = false;

  constructor(
    call: ServerDuplexStream<Buffer, Buffer>,
    seal: StreamSeal | undefined,
    owner: StreamOwner,
  ) {
    this.#call = call;
    this.#seal = seal;
    this.#owner = owner;
    call.on("data", (message: Buffer) => this.#receive(message));
    call.on("drain", () => this.#resume());
    call.on("end", () => {
      this.#halfClosed = true;
      this.#endWhenDone();
    });
    call.on("close", () => this.#disconnected());
  }

  /** Ends the stream. Pending lookups are cancelled without an answer. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#abandon();
    this.#call.end();
  }

  #receive(message: Buffer): void {
    if (this.#ended) return;
    const frame = this.#seal === undefined ? message : this.#seal.open(message);
    if (frame === undefined) {
      this.#fail(this.#owner.tampered());
      return;
    }
    const frameId = frameIdOf(frame);
    try {
      this.#serve(frame, frameId);
    } catch (error) {
      // With a frame id only that frame fails; without one the stream is not usable any more.
      if (frameId === 0) this.#fail(error);
      else this.#write(encodeAnswerMessage("refusal", frameId, encodeRefusal(error)));
    }
  }

  #serve(bytes: Buffer, frameId: number): void {
    const { frames, workload } = this.#owner;
    const kind = requestKind(bytes);
    if (kind === "cancellation") {
      frames.cancellation(bytes);
      return;
    }
    if (kind !== "lookups") {
      throw new ParsecError("MALFORMED_FRAME", "Exchange accepts lookups and cancellations only");
    }
    const refusal = this.#owner.refusal();
    if (refusal !== undefined) throw refusal;
    const answers = new AnswerStream(frameId, (message) => this.#write(message));
    answers.onEnd = () => {
      this.#open.delete(answers);
      workload.end();
      this.#endWhenDone();
    };
    workload.begin();
    this.#open.add(answers);
    try {
      answers.served = frames.lookups(bytes, answers);
    } catch (error) {
      answers.end();
      throw error;
    }
  }

  /** Sends a message. Returns false, and pauses reading, until the client has read its answers (back-pressure). */
  #write(message: Buffer): boolean {
    if (this.#ended) return false;
    const hasRoom = this.#call.write(this.#seal === undefined ? message : this.#seal.seal(message));
    if (!hasRoom && !this.#isFull) {
      this.#isFull = true;
      this.#call.pause();
    }
    return hasRoom;
  }

  #resume(): void {
    this.#isFull = false;
    for (const answers of [...this.#open]) {
      answers.served?.resume();
      if (this.#isFull) return;
    }
    this.#call.resume();
  }

  #endWhenDone(): void {
    if (this.#halfClosed && this.#open.size === 0) this.end();
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#abandon();
    this.#call.emit("error", statusOf(error));
  }

  #disconnected(): void {
    this.#ended = true;
    this.#abandon();
  }

  #abandon(): void {
    for (const answers of [...this.#open]) {
      answers.served?.disconnected();
      answers.end();
    }
  }
}

/** Sends the answers to one frame: as one message, or in pieces with the frame's id. */
class AnswerStream implements AnswerSink {
  readonly #frameId: number;
  readonly #write: (message: Buffer) => boolean;
  served: ServedFrame | undefined = undefined;
  onEnd: () => void = () => {};
  #ended = false;

  constructor(frameId: number, write: (message: Buffer) => boolean) {
    this.#frameId = frameId;
    this.#write = write;
  }

  sendAll(bytes: Buffer): void {
    if (bytes.length <= maxAnswerMessageBytes) this.#write(bytes);
    else {
      this.send(bytes);
      this.#writePart("last", nothing);
    }
    this.end();
  }

  send(bytes: Buffer): boolean {
    let hasRoom = true;
    for (let start = 0; start < bytes.length; start += maxAnswerMessageBytes) {
      hasRoom = this.#writePart("piece", bytes.subarray(start, start + maxAnswerMessageBytes));
    }
    return hasRoom;
  }

  finish(): void {
    this.#writePart("last", nothing);
    this.end();
  }

  /** Marks the answers as complete. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.onEnd();
  }

  #writePart(kind: "piece" | "last", part: Buffer): boolean {
    return this.#write(encodeAnswerMessage(kind, this.#frameId, part));
  }
}
