import { isParsecError, type ParsecErrorCode } from "../../errors.ts";
import type { PeerAnswer } from "../../peer.ts";
import { ByteWriter } from "./byte-writer.ts";
import { errorCodeToByte, maxMessageBytes, writeFrameHeader } from "./layout.ts";

/** Status of an answer, in the low half of its first byte; the high half contains the flags. */
export const answerStatus = { found: 1, absent: 2, failed: 3, applied: 4, missing: 5 } as const;
export const statusMask = 0x0f;
export const ttlFlag = 0x10;
export const fenceFlag = 0x20;
export const rateFlag = 0x40;

/** The longest answer without its value or message. */
const longestHeadBytes = 3 + 3 * 8 + 4;

/** Encodes answers. Values are copied at once, so they may be views of memory that changes later. */
export class AnswerWriter {
  readonly #writer: ByteWriter;
  readonly #maxValueBytes: number;

  constructor(options: { readonly maxValueBytes: number; readonly initialBytes: number }) {
    this.#writer = new ByteWriter(options.initialBytes);
    this.#maxValueBytes = options.maxValueBytes;
  }

  /** Bytes encoded and not yet taken. */
  get length(): number {
    return this.#writer.length;
  }

  /** Writes the header of an answer frame. Call it first, and once. */
  begin(frameId: number): void {
    writeFrameHeader(this.#writer, "answers", frameId);
  }

  /** Appends an answer, or a `VALUE_TOO_LARGE` failure when its value exceeds the limit. */
  answered(index: number, answer: PeerAnswer): void {
    const { value, ttlMs, fence, ratePerMinute } = answer;
    if (answer.missing) {
      this.#missing(index);
      return;
    }
    if (value !== undefined && value.length > this.#maxValueBytes) {
      const message = `value must have at most ${this.#maxValueBytes} bytes (limits.maxValueBytes), got ${value.length}`;
      this.#failed(index, "VALUE_TOO_LARGE", message);
      return;
    }
    const writer = this.#writer;
    const hasTtl = ttlMs !== Number.POSITIVE_INFINITY;
    writer.reserve(longestHeadBytes);
    writer.u8(
      (value === undefined ? answerStatus.absent : answerStatus.found) |
        (hasTtl ? ttlFlag : 0) |
        (fence === 0 ? 0 : fenceFlag) |
        (ratePerMinute === 0 ? 0 : rateFlag),
    );
    writer.u16(index);
    if (hasTtl) writer.f64(Math.max(ttlMs, 0));
    if (fence !== 0) writer.f64(fence);
    if (ratePerMinute !== 0) writer.f64(ratePerMinute);
    if (value !== undefined) {
      writer.u32(value.length);
      writer.bytes(value);
    }
  }

  /** Appends an error. Errors other than `ParsecError` become `ORIGIN_FAILED` without their message. */
  failed(index: number, error: unknown): void {
    if (isParsecError(error)) this.#failed(index, error.code, error.message);
    else this.#failed(index, "ORIGIN_FAILED", "internal error of the owner");
  }

  /** Appends that the invalidation at `index` was applied, or, with the next ticket, that a part of a hand-over was accepted. */
  applied(index: number, ticket = 0): void {
    this.#writer.reserve(11);
    this.#writer.u8(answerStatus.applied | (ticket === 0 ? 0 : fenceFlag));
    this.#writer.u16(index);
    if (ticket !== 0) this.#writer.f64(ticket);
  }

  #missing(index: number): void {
    this.#writer.reserve(3);
    this.#writer.u8(answerStatus.missing);
    this.#writer.u16(index);
  }

  #failed(index: number, code: ParsecErrorCode, message: string): void {
    const text = shortened(message);
    this.#writer.reserve(6);
    this.#writer.u8(answerStatus.failed);
    this.#writer.u16(index);
    this.#writer.u8(errorCodeToByte(code));
    this.#writer.u16(text.length);
    this.#writer.bytes(text);
  }

  /** The bytes encoded since the last call. */
  take(): Buffer {
    return this.#writer.take();
  }
}

/** At most `maxMessageBytes` of UTF-8, cut between characters. */
function shortened(message: string): Buffer {
  const bytes = Buffer.from(message, "utf8");
  if (bytes.length <= maxMessageBytes) return bytes;
  let end = maxMessageBytes;
  while (((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
