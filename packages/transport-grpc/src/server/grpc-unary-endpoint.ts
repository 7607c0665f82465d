import type { ServerUnaryCall } from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import { abortedError } from "@parsec/core/authoring";
import {
  type AnswerSink,
  type FrameServer,
  requestKind,
  type ServedFrame,
} from "@parsec/core/transport";
import type { GrpcLimits } from "../grpc-options.ts";
import { maxAnswerMessageBytes } from "../grpc-wire.ts";

/**
 * Answers one frame of lookups in one message, for clients without a stream. Rejects with
 * `VALUE_TOO_LARGE` when the answers are larger than `maxValueBytes`, and for an invalid frame.
 */
export function answerLookup(
  call: ServerUnaryCall<Buffer, Buffer>,
  frames: FrameServer,
  limits: GrpcLimits,
): Promise<Buffer> {
  if (requestKind(call.request) !== "lookups") {
    throw new ParsecError("MALFORMED_FRAME", "Lookup requires a frame of lookups");
  }
  return new Promise((resolve, reject) => {
    const maxBytes = limits.maxValueBytes + maxAnswerMessageBytes;
    const sink = new CollectingSink(maxBytes, { resolve, reject });
    sink.served = frames.lookups(call.request, sink);
    if (sink.isOver) sink.served.disconnected();
    call.on("cancelled", () => {
      sink.served?.disconnected();
      reject(abortedError(undefined));
    });
  });
}

/** Applies a frame of invalidations and returns the answers. */
export function applyInvalidations(request: Buffer, frames: FrameServer): Buffer | Promise<Buffer> {
  if (requestKind(request) !== "invalidations") {
    throw new ParsecError("MALFORMED_FRAME", "Invalidate requires a frame of invalidations");
  }
  return frames.invalidations(request);
}

/** Stores a frame of handed-over entries and returns the answer. */
export function takeEntries(request: Buffer, frames: FrameServer): Buffer | Promise<Buffer> {
  if (requestKind(request) !== "entries") {
    throw new ParsecError("MALFORMED_FRAME", "HandOver requires a frame of entries");
  }
  return frames.entries(request);
}

class CollectingSink implements AnswerSink {
  readonly #maxBytes: number;
  readonly #settle: {
    readonly resolve: (answers: Buffer) => void;
    readonly reject: (error: ParsecError) => void;
  };
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  served: ServedFrame | undefined = undefined;

  constructor(
    maxBytes: number,
    settle: {
      readonly resolve: (answers: Buffer) => void;
      readonly reject: (error: ParsecError) => void;
    },
  ) {
    this.#maxBytes = maxBytes;
    this.#settle = settle;
  }

  get isOver(): boolean {
    return this.#bytes > this.#maxBytes;
  }

  sendAll(bytes: Buffer): void {
    if (this.send(bytes)) this.finish();
  }

  send(bytes: Buffer): boolean {
    this.#bytes += bytes.length;
    if (!this.isOver) {
      this.#pieces.push(bytes);
      return true;
    }
    this.#pieces.length = 0;
    this.served?.disconnected();
    const message = `the answers must have at most ${this.#maxBytes} bytes together: send fewer lookups per frame`;
    this.#settle.reject(new ParsecError("VALUE_TOO_LARGE", message));
    return false;
  }

  finish(): void {
    if (!this.isOver) this.#settle.resolve(Buffer.concat(this.#pieces));
  }
}
