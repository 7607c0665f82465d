import type { ServerDuplexStream } from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import {
  type AnswerSink,
  type FrameServer,
  requestKind,
  type ServedFrame,
} from "@parsec/core/transport";
import { encodeRefusal, statusOf } from "../grpc-errors.ts";
import type { StreamSeal } from "../grpc-seal.ts";
import { encodeAnswerMessage, frameIdOf, maxAnswerMessageBytes } from "../grpc-wire.ts";
import type { Workload } from "./grpc-workload.ts";

const nothing: Buffer = Buffer.alloc(0);

/** What a stream needs of the node it leads to. */
export interface StreamOwner {
  readonly frames: FrameServer;
  readonly workload: Workload;
  /** Why no frames are taken at the moment; undefined while they are. */
  refusal(): ParsecError | undefined;
  /** Notes a message that is not the opener's, and says what to end the stream with. */
  tampered(): ParsecError;
}

/** One asker's stream on the owner's side: frames come in, answers go out as they are ready. */
export class FrameEndpoint {
  readonly #call: ServerDuplexStream<Buffer, Buffer>;
  readonly #seal: StreamSeal | undefined;
  readonly #owner: StreamOwner;
  /** Frames whose answers are not all there yet. */
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

  /** Ends the stream; what was not answered by now never will be. */
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
      // What names a frame is about that frame; anything else says that no sense is to be expected here.
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
      throw new ParsecError("MALFORMED_FRAME", "this stream takes lookups and cancellations");
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

  /** Sends a message. False when the asker should read some first, and is not listened to until it has. */
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

/** The answers to one frame: whole, or in pieces that say which frame they belong to. */
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

  /** Nothing more will be sent. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.onEnd();
  }

  #writePart(kind: "piece" | "last", part: Buffer): boolean {
    return this.#write(encodeAnswerMessage(kind, this.#frameId, part));
  }
}
