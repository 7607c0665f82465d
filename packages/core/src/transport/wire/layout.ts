import { ParsecError, type ParsecErrorCode } from "../../errors.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

/*
 * What two nodes of this package say to each other: binary frames, little-endian, the same on every
 * transport. Optional fields are in brackets; a flag of the record says whether they are there.
 *
 * every frame    u8 0x50 "P", u8 version, u8 kind, u8 0, u32 frame id
 * lookups        f64 sender, u16 count, count × lookup
 *   lookup       u8 flags, u16 group, u32 timeoutMs, u32 key length, [u16 group name length],
 *                [f64 fence], [u32 input length], [group name], key, [input],
 *                [trace]
 *                A group's name comes with its first lookup; later ones give its number in the frame.
 * answers        any number of answers, in any order, until the stream ends
 *   found        u8 status and flags, u16 index, [f64 ttlMs, else for ever], [f64 fence],
 *                [f64 ratePerMinute], u32 value length, value
 *   absent       the same without length and value
 *   failed       u8 status, u16 index, u8 error code, u16 message length, message
 *   applied      u8 status and flags, u16 index, [f64 ticket for the next part of a hand-over]
 *   missing      u8 status, u16 index
 * invalidations  f64 sender, u16 count, count × invalidation
 *   invalidation u8 target and flags, u16 group name length, f64 fence, u32 number of keys or tags,
 *                group name, number × (u32 length, bytes), [trace]
 * entries        f64 sender, u16 count, f64 ticket, u16 group name length, group name, count × entry
 *   entry        u8 flags, u32 key length, u16 number of tags, [f64 ttlMs, else for ever],
 *                [f64 fence], [u32 value length, else "there is none"], key,
 *                number × (u16 length, tag), value
 * cancellation   f64 sender, u16 count, count × u16 index; the frame id is that of the lookups
 * trace          u16 length, 55 bytes of traceparent, up to 512 of tracestate; passed over if it is none
 */

export const frameMagic = 0x50;
export const frameVersion = 1;
export const frameHeaderBytes = 8;
/** A header, the sender and a count. */
export const requestHeaderBytes: number = frameHeaderBytes + 10;

export const frameKinds = {
  lookups: 1,
  answers: 2,
  invalidations: 3,
  cancellation: 4,
  entries: 5,
} as const;

export type FrameKind = keyof typeof frameKinds;

/** The most a frame can count; what a node accepts is set by its `FrameLimits`. */
export const largestCount = 0xffff;

/** An error's message travels up to this many bytes of UTF-8. */
export const maxMessageBytes = 512;

/** Position + 1 is the number on the wire, so the order is part of the format: append only. */
const errorCodes: readonly ParsecErrorCode[] = [
  "INVALID_ARGUMENT",
  "DUPLICATE_NAME",
  "NO_SUCH_GROUP",
  "INVALID_KEY",
  "KEY_TOO_LARGE",
  "VALUE_TOO_LARGE",
  "ORIGIN_FAILED",
  "CODEC_FAILED",
  "TIMEOUT",
  "ABORTED",
  "PEER_UNREACHABLE",
  "MALFORMED_FRAME",
  "FRAME_TOO_LARGE",
  "UNAUTHENTICATED",
  "OVERLOADED",
  "CLOSED",
];

const numbersByCode: ReadonlyMap<ParsecErrorCode, number> = new Map(
  errorCodes.map((code, index) => [code, index + 1]),
);

export function errorCodeToByte(code: ParsecErrorCode): number {
  // A code younger than this table is the asker's to report as something it cannot read.
  return numbersByCode.get(code) ?? 0;
}

/** Undefined for a number this version does not know. */
export function errorCodeFromByte(byte: number): ParsecErrorCode | undefined {
  return errorCodes[byte - 1];
}

export function isErrorCode(text: string): text is ParsecErrorCode {
  return numbersByCode.has(text as ParsecErrorCode);
}

export interface RequestHeader {
  readonly frameId: number;
  /** Random integer below 2^53 that names the asking node since its start. */
  readonly sender: number;
  readonly count: number;
}

export function writeFrameHeader(writer: ByteWriter, kind: FrameKind, frameId: number): void {
  writer.reserve(frameHeaderBytes);
  writer.u8(frameMagic);
  writer.u8(frameVersion);
  writer.u8(frameKinds[kind]);
  writer.u8(0);
  writer.u32(frameId);
}

/** Writes a request's head; its count is patched in by {@link patchRequestCount}. */
export function writeRequestHeader(
  writer: ByteWriter,
  kind: FrameKind,
  header: Omit<RequestHeader, "count">,
): void {
  writeFrameHeader(writer, kind, header.frameId);
  writer.reserve(10);
  writer.f64(header.sender);
  writer.u16(0);
}

export function patchRequestCount(writer: ByteWriter, count: number): void {
  writer.patchU16(requestHeaderBytes - 2, count);
}

/** Checks the eight bytes all frames begin with and returns the frame id. */
function readFrameHeader(reader: ByteReader, kind: FrameKind): number {
  reader.need(frameHeaderBytes, "the frame header");
  const magic = reader.u8();
  const version = reader.u8();
  const kindByte = reader.u8();
  const reserved = reader.u8();
  if (magic !== frameMagic) throw malformed("these bytes are no Parsec frame");
  if (version !== frameVersion) {
    throw malformed(`the frame has version ${version}, this node reads version ${frameVersion}`);
  }
  if (kindByte !== frameKinds[kind]) throw malformed(`frame kind ${kindByte} is not ${kind}`);
  if (reserved !== 0) throw malformed("the reserved byte is not 0");
  return reader.u32();
}

export interface CountLimit {
  readonly maxCount: number;
  readonly limitName: string;
}

/** Reads a request's head. Throws `FRAME_TOO_LARGE` when it announces more than the limit. */
export function readRequestHeader(
  reader: ByteReader,
  kind: FrameKind,
  limit: CountLimit,
): RequestHeader {
  const frameId = readFrameHeader(reader, kind);
  reader.need(requestHeaderBytes - frameHeaderBytes, "the request header");
  const sender = reader.f64();
  const count = reader.u16();
  checkWholeNumber(sender, "sender");
  checkLimit(count, limit.maxCount, limit.limitName);
  return { frameId, sender, count };
}

/** Says what a request frame is about without reading it. Undefined when it is none of the kinds. */
export function requestKind(bytes: Uint8Array): Exclude<FrameKind, "answers"> | undefined {
  switch (bytes[2]) {
    case frameKinds.lookups:
      return "lookups";
    case frameKinds.invalidations:
      return "invalidations";
    case frameKinds.cancellation:
      return "cancellation";
    case frameKinds.entries:
      return "entries";
    default:
      return undefined;
  }
}

export function checkWholeNumber(value: number, field: string): void {
  if (!(Number.isSafeInteger(value) && value >= 0)) {
    throw malformed(`${field} is no whole number below 2^53`);
  }
}

export function checkLimit(value: number, limit: number, limitName: string): void {
  if (value > limit) {
    throw new ParsecError(
      "FRAME_TOO_LARGE",
      `the frame announces ${value}, ${limitName} is ${limit}`,
    );
  }
}

export function malformed(message: string): ParsecError {
  return new ParsecError("MALFORMED_FRAME", message);
}
