import { ParsecError } from "../../errors.ts";
import type { PeerAnswer } from "../../peer.ts";
import { answerStatus, fenceFlag, rateFlag, statusMask, ttlFlag } from "./answers.ts";
import {
  checkLimit,
  checkWholeNumber,
  errorCodeFromByte,
  frameHeaderBytes,
  frameKinds,
  frameMagic,
  frameVersion,
  malformed,
  maxMessageBytes,
} from "./layout.ts";

/** Receives answers as they are decoded. An index may appear twice, or belong to an aborted lookup. */
export interface AnswerReceiver {
  readonly frameId: number;
  /** Indexes are below this. */
  readonly count: number;
  /** `answer.value` is a view of the pushed chunk. */
  answered(index: number, answer: PeerAnswer): void;
  failed(index: number, error: ParsecError): void;
  /** `ticket` is 0 unless the answer is to a hand-over. */
  applied(index: number, ticket: number): void;
}

class DecodedAnswer implements PeerAnswer {
  readonly value: Uint8Array | undefined;
  readonly ttlMs: number;
  readonly fence: number;
  readonly ratePerMinute: number;

  constructor(
    value: Uint8Array | undefined,
    ttlMs: number,
    rest: { readonly fence: number; readonly ratePerMinute: number },
  ) {
    this.value = value;
    this.ttlMs = ttlMs;
    this.fence = rest.fence;
    this.ratePerMinute = rest.ratePerMinute;
  }
}

const missingAnswer: PeerAnswer = {
  value: undefined,
  ttlMs: 0,
  fence: 0,
  ratePerMinute: 0,
  missing: true,
};

/** Shared, because most answers arrive whole and need no list of pieces. */
const none: Uint8Array[] = [];
const indexBytes = 3;
const failedHeadBytes = indexBytes + 3;
const unknownStatus = 0;

/** Length of an answer without its value or message, by its first byte. */
const headBytesByStatus: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const status = byte & statusMask;
  const flags = byte & ~statusMask;
  if (status === answerStatus.failed && flags === 0) return failedHeadBytes;
  if (status === answerStatus.applied && flags === 0) return indexBytes;
  if (status === answerStatus.applied && flags === fenceFlag) return indexBytes + 8;
  if (status === answerStatus.missing && flags === 0) return indexBytes;
  if ((flags & ~(ttlFlag | fenceFlag | rateFlag)) !== 0) return unknownStatus;
  const flagCount = Number((byte & ttlFlag) !== 0) + Number((byte & fenceFlag) !== 0);
  const optional = 8 * (flagCount + Number((byte & rateFlag) !== 0));
  if (status === answerStatus.found) return indexBytes + optional + 4;
  return status === answerStatus.absent ? indexBytes + optional : unknownStatus;
});

/**
 * Decodes answers from the chunks of a stream, without copying those that arrive whole. Throws
 * `MALFORMED_FRAME` or `FRAME_TOO_LARGE`; do not push more after an error or the end.
 */
export class AnswerReader {
  readonly #receiver: AnswerReceiver;
  readonly #maxValueBytes: number;
  #headerRead = false;
  /** Pieces of an incomplete answer, and their total length. */
  #partial: Uint8Array[] = none;
  #partialBytes = 0;
  /** Length at which decoding continues; 0 while unknown. */
  #neededBytes = 0;

  constructor(receiver: AnswerReceiver, limits: { readonly maxValueBytes: number }) {
    this.#receiver = receiver;
    this.#maxValueBytes = limits.maxValueBytes;
  }

  push(chunk: Uint8Array): void {
    let offset = 0;
    while (this.#partialBytes > 0 && offset < chunk.length) {
      offset += this.#completePartial(chunk.subarray(offset));
    }
    if (offset < chunk.length) {
      const read = this.#readWhole(chunk, offset);
      if (read < chunk.length) this.#keep(chunk.subarray(read));
    }
  }

  /** The stream has ended. Throws `MALFORMED_FRAME` when it ended inside an answer. */
  end(): void {
    if (this.#partialBytes > 0 || !this.#headerRead) {
      throw malformed("the response ends inside an answer");
    }
  }

  #keep(piece: Uint8Array): void {
    if (this.#partialBytes === 0) this.#partial = [piece];
    else this.#partial.push(piece);
    this.#partialBytes += piece.length;
  }

  /** Takes the bytes that the incomplete answer lacks from `chunk` and returns their number. */
  #completePartial(chunk: Uint8Array): number {
    if (this.#neededBytes === 0) this.#neededBytes = this.#nextTarget();
    const taken = Math.min(this.#neededBytes - this.#partialBytes, chunk.length);
    this.#keep(chunk.subarray(0, taken));
    if (this.#partialBytes < this.#neededBytes) return taken;
    this.#neededBytes = this.#nextTarget();
    if (this.#partialBytes === this.#neededBytes) {
      const whole = this.#gather();
      this.#partial = none;
      this.#partialBytes = 0;
      this.#neededBytes = 0;
      this.#readWhole(whole, 0);
    }
    return taken;
  }

  /** Length of the whole answer, or of its head while the head is incomplete. */
  #nextTarget(): number {
    if (!this.#headerRead) return frameHeaderBytes;
    let first = this.#partial[0] as Uint8Array;
    const headBytes = headBytesByStatus[first[0] as number] as number;
    if (this.#partialBytes < headBytes) return headBytes;
    if (first.length < headBytes) first = this.#gather();
    return headBytes + this.#tailBytes(viewOf(first), 0);
  }

  #gather(): Uint8Array {
    if (this.#partial.length > 1) this.#partial = [Buffer.concat(this.#partial)];
    return this.#partial[0] as Uint8Array;
  }

  /** Reads every complete answer from `offset` on and returns where the first incomplete one starts. */
  #readWhole(bytes: Uint8Array, from: number): number {
    let offset = from;
    const view = viewOf(bytes);
    if (!this.#headerRead) {
      if (bytes.length - offset < frameHeaderBytes) return offset;
      const frameId = answersFrameId(view, offset);
      if (frameId !== this.#receiver.frameId)
        throw malformed("the response belongs to another frame");
      this.#headerRead = true;
      offset += frameHeaderBytes;
    }
    while (offset < bytes.length) {
      const headBytes = headBytesByStatus[bytes[offset] as number] as number;
      if (headBytes === unknownStatus) throw malformed(`unknown answer status ${bytes[offset]}`);
      if (bytes.length - offset < headBytes) break;
      const tailBytes = this.#tailBytes(view, offset);
      const end = offset + headBytes + tailBytes;
      if (end > bytes.length) break;
      this.#readAnswer(bytes, view, offset);
      offset = end;
    }
    return offset;
  }

  /** Length of the value or message of an answer whose head is complete. */
  #tailBytes(view: DataView, offset: number): number {
    const byte = view.getUint8(offset);
    const headBytes = headBytesByStatus[byte] as number;
    const status = byte & statusMask;
    if (status === answerStatus.found) {
      const length = view.getUint32(offset + headBytes - 4, true);
      checkLimit(length, this.#maxValueBytes, "maxValueBytes");
      return length;
    }
    if (status !== answerStatus.failed) return 0;
    const length = view.getUint16(offset + headBytes - 2, true);
    checkLimit(length, maxMessageBytes, "the longest message");
    return length;
  }

  #readAnswer(bytes: Uint8Array, view: DataView, start: number): void {
    const byte = bytes[start] as number;
    const index = view.getUint16(start + 1, true);
    const receiver = this.#receiver;
    if (index >= receiver.count)
      throw malformed(`answer ${index} to a frame of ${receiver.count} lookups`);
    let offset = start + indexBytes;
    const status = byte & statusMask;
    if (status === answerStatus.applied) {
      receiver.applied(index, readTicket(view, start));
      return;
    }
    if (status === answerStatus.failed) {
      receiver.failed(index, this.#readError(bytes, view, offset));
      return;
    }
    if (status === answerStatus.missing) {
      receiver.answered(index, missingAnswer);
      return;
    }
    let ttlMs = Number.POSITIVE_INFINITY;
    let fence = 0;
    let ratePerMinute = 0;
    if ((byte & ttlFlag) !== 0) {
      ttlMs = view.getFloat64(offset, true);
      if (!(ttlMs >= 0)) throw malformed(`time to live must be at least 0, got ${ttlMs}`);
      offset += 8;
    }
    if ((byte & fenceFlag) !== 0) {
      fence = view.getFloat64(offset, true);
      checkWholeNumber(fence, "fence");
      offset += 8;
    }
    if ((byte & rateFlag) !== 0) {
      ratePerMinute = view.getFloat64(offset, true);
      if (!(ratePerMinute >= 0)) throw malformed(`rate must be at least 0, got ${ratePerMinute}`);
      offset += 8;
    }
    let value: Uint8Array | undefined;
    if (status === answerStatus.found) {
      const length = view.getUint32(offset, true);
      value = new Uint8Array(bytes.buffer, bytes.byteOffset + offset + 4, length);
    }
    receiver.answered(index, new DecodedAnswer(value, ttlMs, { fence, ratePerMinute }));
  }

  #readError(bytes: Uint8Array, view: DataView, offset: number): ParsecError {
    const code = errorCodeFromByte(view.getUint8(offset));
    const length = view.getUint16(offset + 1, true);
    const start = offset + 3;
    const message = Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString("utf8");
    if (code === undefined) {
      return new ParsecError(
        "PEER_UNREACHABLE",
        "the peer reported an error code that this version does not know",
      );
    }
    return new ParsecError(code, message);
  }
}

/** Checks the complete header of an answer frame and returns the id of the frame it answers. */
function answersFrameId(view: DataView, offset: number): number {
  const isAnswers =
    view.getUint8(offset) === frameMagic &&
    view.getUint8(offset + 1) === frameVersion &&
    view.getUint8(offset + 2) === frameKinds.answers &&
    view.getUint8(offset + 3) === 0;
  if (!isAnswers) throw malformed("the response is not an answer frame of a known version");
  return view.getUint32(offset + 4, true);
}

function readTicket(view: DataView, start: number): number {
  if ((view.getUint8(start) & fenceFlag) === 0) return 0;
  const ticket = view.getFloat64(start + indexBytes, true);
  checkWholeNumber(ticket, "ticket");
  return ticket;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
