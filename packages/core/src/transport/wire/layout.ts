import { ParsecError, type ParsecErrorCode } from "../../errors.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

/*
 * The frame format between nodes: little-endian binary, the same on every transport. Optional fields are in
 * brackets; a flag of the record tells whether they are present.
 *
 * every frame    u8 0x50 "P", u8 version, u8 kind, u8 0, u32 frame id
 * lookups        f64 sender, u16 count, count × lookup
 *   lookup       u8 flags, u16 group, u32 timeoutMs, u32 key length, [u16 group name length],
 *                [f64 fence], [u32 input length], [group name], key, [input],
 *                [trace]
 *                The first lookup of a group has its name; later ones have its number in the frame.
 * answers        any number of answers, in any order, until the stream ends
 *   found        u8 status and flags, u16 index, [f64 ttlMs, else no expiry], [f64 fence],
 *                [f64 ratePerMinute], u32 value length, value
 *   absent       the same without length and value
 *   failed       u8 status, u16 index, u8 error code, u16 message length, message
 *   applied      u8 status and flags, u16 index, [f64 ticket for the next part of a hand-over]
 *   missing      u8 status, u16 index
 * invalidations  f64 sender, u16 count, count × invalidation
 *   invalidation u8 target and flags, u16 group name length, f64 fence, u32 number of keys or tags,
 *                group name, number × (u32 length, bytes), [owed to], [trace]
 *   owed to      u32 number of node ids, number × (u32 length, bytes)
 * entries        f64 sender, u16 count, f64 ticket, u16 group name length, group name, count × entry
 *   entry        u8 flags, u32 key length, u16 number of tags, [f64 ttlMs, else no expiry],
 *                [f64 fence], [u32 value length, else a negative entry], key,
 *                number × (u16 length, tag), value
 * cancellation   f64 sender, u16 count, count × u16 index; the frame id is that of the lookups
 * trace          u16 length, 55 bytes of traceparent, up to 512 of tracestate; ignored if invalid
 */

export const frameMagic = 0x50;
export const frameVersion = 1;
export const frameHeaderBytes = 8;
/** Frame header, sender and count. */
export const requestHeaderBytes: number = frameHeaderBytes + 10;

export const frameKinds = {
  lookups: 1,
  answers: 2,
  invalidations: 3,
  cancellation: 4,
  entries: 5,
} as const;

export type FrameKind = keyof typeof frameKinds;

/** The largest count that the format allows. `FrameLimits` sets what a node accepts. */
export const largestCount = 0xffff;

/** Error messages are cut to this many bytes of UTF-8. */
export const maxMessageBytes = 512;

/** The number on the wire is the index + 1, so the order is part of the format: only append. */
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

/** The number of an error code on the wire. */
export function errorCodeToByte(code: ParsecErrorCode): number {
  // 0 for a code missing from this table, which the requester reports as unknown.
  return numbersByCode.get(code) ?? 0;
}

/** The error code of a number on the wire; undefined for one that this version does not know. */
export function errorCodeFromByte(byte: number): ParsecErrorCode | undefined {
  return errorCodes[byte - 1];
}

/** Whether a text is a {@link ParsecErrorCode}, for protocols that carry codes as text. */
export function isErrorCode(text: string): text is ParsecErrorCode {
  return numbersByCode.has(text as ParsecErrorCode);
}

/** The header of a request frame. */
export interface RequestHeader {
  readonly frameId: number;
  /** Random integer below 2^53 that identifies the requesting process. */
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

/** Writes the header of a request; {@link patchRequestCount} sets its count later. */
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

/** Checks the eight bytes that every frame starts with and returns the frame id. */
function readFrameHeader(reader: ByteReader, kind: FrameKind): number {
  reader.need(frameHeaderBytes, "the frame header");
  const magic = reader.u8();
  const version = reader.u8();
  const kindByte = reader.u8();
  const reserved = reader.u8();
  if (magic !== frameMagic) throw malformed("the bytes are not a Parsec frame");
  if (version !== frameVersion) {
    throw malformed(`frame version must be ${frameVersion}, got ${version}`);
  }
  if (kindByte !== frameKinds[kind])
    throw malformed(`frame kind must be ${frameKinds[kind]} (${kind}), got ${kindByte}`);
  if (reserved !== 0) throw malformed(`reserved byte must be 0, got ${reserved}`);
  return reader.u32();
}

export interface CountLimit {
  readonly maxCount: number;
  readonly limitName: string;
}

/** Reads the header of a request. Throws `MALFORMED_FRAME`, or `FRAME_TOO_LARGE` when its count exceeds the limit. */
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

/** The kind of a request frame, from its header alone; undefined for any other bytes. */
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
    throw malformed(`${field} must be a whole number below 2^53, got ${value}`);
  }
}

export function checkLimit(value: number, limit: number, limitName: string): void {
  if (value > limit) {
    throw new ParsecError(
      "FRAME_TOO_LARGE",
      `frame exceeds ${limitName}: must be at most ${limit}, got ${value}`,
    );
  }
}

export function malformed(message: string): ParsecError {
  return new ParsecError("MALFORMED_FRAME", message);
}
