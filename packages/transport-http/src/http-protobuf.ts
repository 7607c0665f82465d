import { ParsecError } from "@parsec/core";

/** groupcachepb.GetResponse: `optional bytes value = 1; optional double minute_qps = 2`. */
export interface GetResponse {
  readonly value: Uint8Array;
  readonly minuteQps: number;
}

const valueTag = 0x0a;
const minuteQpsTag = 0x11;
const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
/** A varint of protobuf has at most ten bytes, of which a length in a message we accept uses five. */
const longestVarint = 10;

export function encodeGetResponse(response: GetResponse): Buffer {
  const { value, minuteQps } = response;
  const head: number[] = [valueTag];
  let rest = value.length;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) head.push((rest % 128) | 0x80);
  head.push(rest);
  const tail = minuteQps === 0 ? Buffer.alloc(0) : Buffer.alloc(9);
  if (minuteQps !== 0) {
    tail[0] = minuteQpsTag;
    tail.writeDoubleLE(minuteQps, 1);
  }
  return Buffer.concat([Buffer.from(head), value, tail]);
}

/**
 * Reads a GetResponse, skipping fields it does not know. A missing value is an empty one, as in Go.
 * Throws `MALFORMED_FRAME` or `FRAME_TOO_LARGE`.
 */
export function decodeGetResponse(
  bytes: Buffer,
  limits: { readonly maxValueBytes: number },
): GetResponse {
  let value: Uint8Array = bytes.subarray(0, 0);
  let minuteQps = 0;
  let offset = 0;
  while (offset < bytes.length) {
    const tag = readVarint(bytes, offset);
    offset = tag.next;
    const field = Math.floor(tag.value / 8);
    const wireType = tag.value % 8;
    let size = 0;
    if (wireType === wireTypes.varint) size = readVarint(bytes, offset).next - offset;
    else if (wireType === wireTypes.fixed64) size = 8;
    else if (wireType === wireTypes.fixed32) size = 4;
    else if (wireType === wireTypes.bytes) {
      const length = readVarint(bytes, offset);
      offset = length.next;
      size = length.value;
    } else throw malformed(`wire type ${wireType}`);
    if (size > bytes.length - offset) throw malformed("a field longer than the message");
    if (field === 1 && wireType === wireTypes.bytes) {
      if (size > limits.maxValueBytes) {
        throw new ParsecError(
          "FRAME_TOO_LARGE",
          `the value has ${size} bytes, maxValueBytes is ${limits.maxValueBytes}`,
        );
      }
      value = bytes.subarray(offset, offset + size);
    } else if (field === 2 && wireType === wireTypes.fixed64) {
      minuteQps = bytes.readDoubleLE(offset);
    }
    offset += size;
  }
  return { value, minuteQps: Number.isFinite(minuteQps) ? Math.max(minuteQps, 0) : 0 };
}

function readVarint(
  bytes: Buffer,
  start: number,
): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let index = 0; index < longestVarint; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) throw malformed("an integer cut short");
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, next: start + index + 1 };
  }
  throw malformed("an integer without end");
}

function malformed(what: string): ParsecError {
  return new ParsecError("MALFORMED_FRAME", `the protobuf message has ${what}`);
}
