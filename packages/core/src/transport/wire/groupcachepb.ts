import { ParsecError } from "../../errors.ts";
import type { NodeBuffer } from "./node-buffer.ts";
import { malformedMessage, readFields, wireTypes, writeVarint } from "./protobuf.ts";

/*
 * The two messages of Go's groupcache, as its groupcache.proto has them:
 * GetRequest { required string group = 1; required string key = 2; }
 * GetResponse { optional bytes value = 1; optional double minute_qps = 2; }
 */

/** A lookup as Go's groupcache sends it. */
export interface GetRequest {
  readonly group: NodeBuffer;
  readonly key: NodeBuffer;
}

/** An answer as Go's groupcache sends it. */
export interface GetResponse {
  readonly value: Uint8Array;
  /** How often per minute the owner is asked for the key. */
  readonly minuteQps: number;
}

const valueTag = 0x0a;
const minuteQpsTag = 0x11;

/** Reads a GetRequest. Throws `MALFORMED_FRAME`, also when group or key are missing. */
export function decodeGetRequest(message: NodeBuffer): GetRequest {
  let group: Buffer | undefined;
  let key: Buffer | undefined;
  readFields(message, ({ field, wireType, bytes }) => {
    if (wireType !== wireTypes.bytes) return;
    if (field === 1) group = bytes;
    else if (field === 2) key = bytes;
  });
  if (group === undefined) throw malformedMessage("a GetRequest needs a group");
  if (key === undefined) throw malformedMessage("a GetRequest needs a key");
  return { group, key };
}

/** Writes a GetResponse; a rate of 0 is left out, as in Go. */
export function encodeGetResponse({ value, minuteQps }: GetResponse): NodeBuffer {
  const head = writeVarint([valueTag], value.length);
  const message = Buffer.allocUnsafe(head.length + value.length + (minuteQps === 0 ? 0 : 9));
  message.set(head);
  message.set(value, head.length);
  if (minuteQps !== 0) {
    const offset = message.writeUInt8(minuteQpsTag, head.length + value.length);
    message.writeDoubleLE(minuteQps, offset);
  }
  return message;
}

/**
 * Reads a GetResponse, skipping fields it does not know. A missing value is an empty one, as in Go.
 * Throws `MALFORMED_FRAME` or `FRAME_TOO_LARGE`.
 */
export function decodeGetResponse(
  message: NodeBuffer,
  limits: { readonly maxValueBytes: number },
): GetResponse {
  let value: Uint8Array = message.subarray(0, 0);
  let minuteQps = 0;
  readFields(message, ({ field, wireType, bytes }) => {
    if (field === 1 && wireType === wireTypes.bytes) {
      if (bytes.length > limits.maxValueBytes) {
        throw new ParsecError(
          "FRAME_TOO_LARGE",
          `the value has ${bytes.length} bytes, maxValueBytes is ${limits.maxValueBytes}`,
        );
      }
      value = bytes;
    } else if (field === 2 && wireType === wireTypes.fixed64) minuteQps = bytes.readDoubleLE(0);
  });
  return { value, minuteQps: Number.isFinite(minuteQps) ? Math.max(minuteQps, 0) : 0 };
}
