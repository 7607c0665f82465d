import { createReadStream } from "node:fs";
import { crc32 } from "node:zlib";

/** Bytes of the head: length of the payload, and its CRC-32. */
const frameHeadBytes = 8;
/** The longest frame: an entry with the largest key and value, and a margin. */
const maxFrameBytes = 4 * 1024 * 1024;

/** A frame of a file, or its damaged end. */
export type FoundFrame =
  | { readonly kind: "frame"; readonly payload: Buffer; readonly endsAt: number }
  /** There is no complete frame from this offset on: the writer was stopped, or the disk is damaged. */
  | { readonly kind: "torn"; readonly at: number };

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

/** Reads the frames of a file in order, up to its end or the first incomplete one. */
export async function* readFrames(path: string): AsyncGenerator<FoundFrame> {
  let rest: Buffer = Buffer.alloc(0);
  let readTo = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    for (;;) {
      const size = wholeSize(rest);
      if (size === "torn") {
        yield { kind: "torn", at: readTo };
        return;
      }
      if (size === undefined || size > rest.length) break;
      const payload = rest.subarray(frameHeadBytes, size);
      if (crc32(payload) !== rest.readUInt32LE(4)) {
        yield { kind: "torn", at: readTo };
        return;
      }
      readTo += size;
      yield { kind: "frame", payload, endsAt: readTo };
      rest = rest.subarray(size);
    }
  }
  if (rest.length > 0) yield { kind: "torn", at: readTo };
}

function wholeSize(bytes: Buffer): number | "torn" | undefined {
  if (bytes.length < frameHeadBytes) return undefined;
  const length = bytes.readUInt32LE(0);
  // Frames are never empty: after a power failure a file may end with zeros, whose checksum is also zero.
  return length === 0 || length > maxFrameBytes ? "torn" : frameHeadBytes + length;
}
