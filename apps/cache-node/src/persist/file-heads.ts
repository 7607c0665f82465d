import { ParsecError } from "@parsec/core";
import type { Position } from "@parsec/ring";

const version = 1;
const positionBytes = 16;
const headBytes = 4 + 1 + 4;

/** Encodes the head of a file: its type, version and partition. */
export function encodeHead(magic: string, partition: number): Buffer {
  const head = Buffer.alloc(headBytes);
  head.write(magic, 0, 4, "latin1");
  head.writeUInt8(version, 4);
  head.writeUInt32LE(partition, 5);
  return head;
}

/** Returns the bytes after the head. Throws `MALFORMED_FRAME` for another head. */
export function checkHead(magic: string, bytes: Buffer, partition: number): Buffer {
  if (bytes.length >= headBytes && bytes.toString("latin1", 0, 4) === magic) {
    if (bytes.readUInt8(4) !== version) throw malformed("it has another version");
    if (bytes.readUInt32LE(5) !== partition) throw malformed("it belongs to another partition");
    return bytes.subarray(headBytes);
  }
  throw malformed("it is not a file of a cache node");
}

export function encodePosition({ epoch, seq }: Position): Buffer {
  const bytes = Buffer.allocUnsafe(positionBytes);
  bytes.writeDoubleLE(epoch, 0);
  bytes.writeDoubleLE(seq, 8);
  return bytes;
}

/** Decodes a position, and returns the bytes after it. Throws `MALFORMED_FRAME`. */
export function takePosition(bytes: Buffer): {
  readonly position: Position;
  readonly rest: Buffer;
} {
  if (bytes.length < positionBytes) throw malformed("a position is truncated");
  const position = { epoch: bytes.readDoubleLE(0), seq: bytes.readDoubleLE(8) };
  const isPossible = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
  if (!isPossible(position.epoch) || !isPossible(position.seq))
    throw malformed("a position is not valid");
  return { position, rest: bytes.subarray(positionBytes) };
}

function malformed(reason: string): ParsecError {
  return new ParsecError("MALFORMED_FRAME", reason);
}
