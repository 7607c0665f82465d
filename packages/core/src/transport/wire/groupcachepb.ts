import { ParsecError } from "../../errors.ts";
import type { NodeBuffer } from "./node-buffer.ts";
import { malformedMessage, readFields, wireTypes, writeVarint } from "./protobuf.ts";

/*
 * The two messages of Go's groupcache, from its groupcache.proto:
 * GetRequest { required string group = 1; required string key = 2; }
 * GetResponse { optional bytes value = 1; optional double minute_qps = 2; }
 */

/** The request message of Go's groupcache: a lookup of one key. */
export interface GetRequest {
  readonly group: NodeBuffer;
  readonly key: NodeBuffer;
}

/** The response message of Go's groupcache. */
export interface GetResponse {
  readonly value: Uint8Array;
  /** Requests per minute that the owner measures for the key. */
  readonly minuteQps: number;
}

const valueTag = 0x0a;
const minuteQpsTag = 0x11;

/** Decodes a GetRequest. Throws `MALFORMED_FRAME`, also when group or key is missing. */
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

/** Encodes a GetResponse. Omits a rate of 0, as Go does. */
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
 * Decodes a GetResponse and skips unknown fields. A missing value is decoded as an empty one, as in Go.
 * Throws `MALFORMED_FRAME`, or `FRAME_TOO_LARGE` for a value beyond the limit.
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
          `value must have at most ${limits.maxValueBytes} bytes (maxValueBytes), got ${bytes.length}`,
        );
      }
      value = bytes;
    } else if (field === 2 && wireType === wireTypes.fixed64) minuteQps = bytes.readDoubleLE(0);
  });
  return { value, minuteQps: Number.isFinite(minuteQps) ? Math.max(minuteQps, 0) : 0 };
}
