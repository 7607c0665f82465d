import { ParsecError } from "../../errors.ts";
import type { NodeBuffer } from "./node-buffer.ts";
import { malformedMessage, readFields, wireTypes, writeVarint } from "./protobuf.ts";

/*
 * The two messages of Go's groupcache, from its groupcache.proto:
 * GetRequest { required string group = 1; required string key = 2; }
 * GetResponse { optional bytes value = 1; optional double minute_qps = 2; optional int64 expire = 3; }
 * golang/groupcache has no `expire` and skips it; groupcache-go v3 and mailgun/groupcache have it.
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
  /** When the value expires by the owner's wall clock, in ms since the epoch; undefined for never. */
  readonly expiresAtMs?: number | undefined;
}

const valueTag = 0x0a;
const minuteQpsTag = 0x11;
const expireTag = 0x18;
const nanosecondsPerMs = 1_000_000n;
/** `expire` in the year 2262, beyond which an int64 of nanoseconds cannot be. */
const latestExpireMs = 9_223_372_036_854;

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

/** Encodes a GetResponse. Omits a rate of 0, as Go does, and `expire` for a value that never expires. */
export function encodeGetResponse(response: GetResponse): NodeBuffer {
  const { value, minuteQps, expiresAtMs } = response;
  const head = writeVarint([valueTag], value.length);
  const expire = expiresAtMs === undefined ? [] : writeExpire(expiresAtMs);
  const rateBytes = minuteQps === 0 ? 0 : 9;
  const message = Buffer.allocUnsafe(head.length + value.length + rateBytes + expire.length);
  message.set(head);
  message.set(value, head.length);
  let offset = head.length + value.length;
  if (minuteQps !== 0) {
    offset = message.writeUInt8(minuteQpsTag, offset);
    offset = message.writeDoubleLE(minuteQps, offset);
  }
  message.set(expire, offset);
  return message;
}

/** The field in Unix nanoseconds. 0 would mean never, so an earlier time is written as 1 ms. */
function writeExpire(expiresAtMs: number): readonly number[] {
  const wholeMs = Math.floor(Math.min(Math.max(expiresAtMs, 1), latestExpireMs));
  const bytes = [expireTag];
  let rest = BigInt(wholeMs) * nanosecondsPerMs;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return bytes;
}

/** Undefined for 0, which is Go's "never". A negative int64 is a time before 1970, so 0 ms. */
function readExpire(varint: NodeBuffer): number | undefined {
  let nanoseconds = 0n;
  for (const [index, byte] of varint.entries()) {
    nanoseconds |= BigInt(byte & 0x7f) << BigInt(7 * index);
  }
  const signed = BigInt.asIntN(64, nanoseconds);
  if (signed === 0n) return undefined;
  return signed < 0n ? 0 : Number(signed / nanosecondsPerMs);
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
  let expiresAtMs: number | undefined;
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
    else if (field === 3 && wireType === wireTypes.varint) expiresAtMs = readExpire(bytes);
  });
  return {
    value,
    minuteQps: Number.isFinite(minuteQps) ? Math.max(minuteQps, 0) : 0,
    expiresAtMs,
  };
}
