import { isParsecError, type ParsecErrorCode } from "../../errors.ts";
import type { PeerAnswer } from "../../peer.ts";
import { ByteWriter } from "./byte-writer.ts";
import { errorCodeToByte, maxMessageBytes, writeFrameHeader } from "./layout.ts";

/** What an answer is, in the low half of its first byte; the flags stand in the high half. */
export const answerStatus = { found: 1, absent: 2, failed: 3, applied: 4, missing: 5 } as const;
export const statusMask = 0x0f;
export const ttlFlag = 0x10;
export const fenceFlag = 0x20;
export const rateFlag = 0x40;

/** The longest answer without its value or message. */
const longestHeadBytes = 3 + 3 * 8 + 4;

/** Collects answers as bytes. Values are copied at once, so they may be views of memory about to change. */
export class AnswerWriter {
  readonly #writer: ByteWriter;
  readonly #maxValueBytes: number;

  constructor(options: { readonly maxValueBytes: number; readonly initialBytes: number }) {
    this.#writer = new ByteWriter(options.initialBytes);
    this.#maxValueBytes = options.maxValueBytes;
  }

  /** Bytes collected and not yet taken. */
  get length(): number {
    return this.#writer.length;
  }

  /** The head of an answer frame. Comes first, once. */
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
      const message = `the value has ${value.length} bytes, limits.maxValueBytes is ${this.#maxValueBytes}`;
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

  /** Appends what went wrong. Anything that is no `ParsecError` becomes `ORIGIN_FAILED` without its text. */
  failed(index: number, error: unknown): void {
    if (isParsecError(error)) this.#failed(index, error.code, error.message);
    else this.#failed(index, "ORIGIN_FAILED", "the owner failed in an unexpected way");
  }

  /** Appends that the invalidation at `index` was applied, or a part taken over and with which ticket to go on. */
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

  /** Everything collected since the last call. */
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
