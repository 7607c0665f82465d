import { ParsecError } from "../../errors.ts";
import type { NodeBuffer } from "./node-buffer.ts";

/** Wire types of protobuf, without the deprecated groups. */
export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** A varint has at most ten bytes. */
const longestVarint = 10;

/** One field of a protobuf message. `bytes` is a view: the content of a length-delimited field, else the encoded number. */
export interface ProtobufField {
  readonly field: number;
  readonly wireType: number;
  readonly bytes: NodeBuffer;
}

/**
 * Calls `take` with each field of a protobuf message in order (https://protobuf.dev/programming-guides/encoding).
 * Throws `MALFORMED_FRAME` when the message is truncated or a wire type is unknown.
 */
export function readFields(message: NodeBuffer, take: (field: ProtobufField) => void): void {
  let offset = 0;
  while (offset < message.length) {
    const tag = readVarint(message, offset);
    offset = tag.next;
    const wireType = tag.value % 8;
    let size: number;
    if (wireType === wireTypes.varint) size = readVarint(message, offset).next - offset;
    else if (wireType === wireTypes.fixed64) size = 8;
    else if (wireType === wireTypes.fixed32) size = 4;
    else if (wireType === wireTypes.bytes) {
      const length = readVarint(message, offset);
      offset = length.next;
      size = length.value;
    } else throw malformedMessage(`unknown wire type ${wireType}`);
    if (size > message.length - offset) {
      throw malformedMessage("a field is longer than the message");
    }
    const bytes = message.subarray(offset, offset + size);
    take({ field: Math.floor(tag.value / 8), wireType, bytes });
    offset += size;
  }
}

/** Appends a non-negative integer as a varint. */
export function writeVarint(bytes: number[], value: number): number[] {
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** Creates a `MALFORMED_FRAME` for a protobuf message, with the reason. */
export function malformedMessage(reason: string): ParsecError {
  return new ParsecError("MALFORMED_FRAME", `invalid protobuf message: ${reason}`);
}

function readVarint(
  bytes: Buffer,
  start: number,
): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let index = 0; index < longestVarint; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) throw malformedMessage("truncated varint");
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, next: start + index + 1 };
  }
  throw malformedMessage("varint of more than 10 bytes");
}
