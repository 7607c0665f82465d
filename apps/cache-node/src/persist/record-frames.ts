import { createReadStream } from "node:fs";
import { crc32 } from "node:zlib";

/** Bytes of the head: length of the payload, and its CRC-32. */
const frameHeadBytes = 8;
/** The longest frame: an entry with the largest key and value, and a margin. */
const maxFrameBytes = 4 * 1024 * 1024;

/** A frame of a file, or what is at the place of one. */
export type FoundFrame =
  | {
      readonly kind: "frame";
      readonly payload: Buffer;
      readonly at: number;
      readonly endsAt: number;
    }
  /** The beginning of a frame, or zeros, up to the end of the file: the writer was stopped in the middle. */
  | { readonly kind: "torn"; readonly at: number; readonly bytes: number }
  /** Bytes that no writer leaves behind. */
  | { readonly kind: "damaged"; readonly at: number; readonly reason: string };

/** Encodes the pieces as one frame. */
export function frameOf(...pieces: readonly Uint8Array[]): Buffer {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const frame = Buffer.allocUnsafe(frameHeadBytes + length);
  let at = frameHeadBytes;
  for (const piece of pieces) {
    frame.set(piece, at);
    at += piece.length;
  }
  frame.writeUInt32LE(length, 0);
  frame.writeUInt32LE(crc32(frame.subarray(frameHeadBytes)), 4);
  return frame;
}

/** Reads the frames of a file in order, up to its end or the first that is not valid. */
export async function* readFrames(path: string): AsyncGenerator<FoundFrame> {
  let rest: Buffer = Buffer.alloc(0);
  let at = 0;
  let isEnd = false;
  const chunks = createReadStream(path, { highWaterMark: 1024 * 1024 });
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    // The rest of a file after a broken frame is needed to judge it, but no more than a writer can leave behind.
    if (isEnd && rest.length > 2 * maxFrameBytes) break;
    while (!isEnd) {
      const size = validSize(rest);
      isEnd = size === "broken";
      if (size === undefined || size === "broken") break;
      yield { kind: "frame", payload: rest.subarray(frameHeadBytes, size), at, endsAt: at + size };
      at += size;
      rest = rest.subarray(size);
    }
  }
  if (rest.length > 0) yield judgeRest(rest, at);
}

/** The size of the frame at the start of the bytes; undefined while they are too few to tell. */
function validSize(bytes: Buffer): number | "broken" | undefined {
  if (bytes.length < frameHeadBytes) return undefined;
  const length = bytes.readUInt32LE(0);
  // Frames are never empty: after a power failure a file may end with zeros, whose checksum is also zero.
  if (length === 0 || length > maxFrameBytes) return "broken";
  const size = frameHeadBytes + length;
  if (size > bytes.length) return undefined;
  return isIntact(bytes, size) ? size : "broken";
}

function isIntact(bytes: Buffer, size: number): boolean {
  return crc32(bytes.subarray(frameHeadBytes, size)) === bytes.readUInt32LE(4);
}

/** Judges the bytes that follow the last valid frame of a file. */
function judgeRest(rest: Buffer, at: number): FoundFrame {
  const torn: FoundFrame = { kind: "torn", at, bytes: rest.length };
  if (rest.length < frameHeadBytes || rest.every((byte) => byte === 0)) return torn;
  const length = rest.readUInt32LE(0);
  const isPossible = length > 0 && length <= maxFrameBytes;
  if (isPossible && frameHeadBytes + length <= rest.length) {
    return { kind: "damaged", at, reason: "a record does not have its checksum" };
  }
  // A complete record whose length alone was changed, or records after it.
  if (isIntact(rest, rest.length)) {
    return { kind: "damaged", at, reason: "the length of a record is wrong" };
  }
  if (!isPossible || hasFrameAfter(rest)) {
    return { kind: "damaged", at, reason: "a record is damaged, and others follow" };
  }
  return torn;
}

function hasFrameAfter(rest: Buffer): boolean {
  for (let start = 1; start + frameHeadBytes < rest.length; start++) {
    const size = validSize(rest.subarray(start));
    if (typeof size === "number") return true;
  }
  return false;
}
