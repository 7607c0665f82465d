import { ParsecError } from "@parsec/core";
import { protoEnums, protoTags } from "./grpc-proto-definitions.ts";

/* The few messages of other people's services, read and written by hand. Their `.proto` files are in `proto/`. */

export interface GetRequest {
  readonly group: Buffer;
  readonly key: Buffer;
}

export interface GetResponse {
  readonly value: Uint8Array;
  readonly minuteQps: number;
}

const servingStatusName = "grpc.health.v1.HealthCheckResponse.ServingStatus";
/** What may be said of a service. */
export type ServingStatus = Exclude<keyof (typeof protoEnums)[typeof servingStatusName], "UNKNOWN">;

const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const longestVarint = 10;
const getRequest = protoTags["groupcachepb.GetRequest"];
const getResponse = protoTags["groupcachepb.GetResponse"];
const healthRequest = protoTags["grpc.health.v1.HealthCheckRequest"];
const healthResponse = protoTags["grpc.health.v1.HealthCheckResponse"];

/** Reads a GetRequest. Throws `MALFORMED_FRAME`, also when group or key are missing. */
export function decodeGetRequest(message: Buffer): GetRequest {
  let group: Buffer | undefined;
  let key: Buffer | undefined;
  readFields(message, (tag, bytes) => {
    if (tag === getRequest.group) group = bytes;
    else if (tag === getRequest.key) key = bytes;
  });
  if (group === undefined) throw malformed("a GetRequest needs a group");
  if (key === undefined) throw malformed("a GetRequest needs a key");
  return { group, key };
}

export function encodeGetResponse(response: GetResponse): Buffer {
  const { value, minuteQps } = response;
  const head: number[] = [getResponse.value];
  let rest = value.length;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) head.push((rest % 128) | 0x80);
  head.push(rest);
  const message = Buffer.allocUnsafe(head.length + value.length + (minuteQps === 0 ? 0 : 9));
  message.set(head);
  message.set(value, head.length);
  if (minuteQps !== 0) {
    const offset = message.writeUInt8(getResponse.minute_qps, head.length + value.length);
    message.writeDoubleLE(minuteQps, offset);
  }
  return message;
}

/** The name of the service a health check is about; "" for the whole server. Throws `MALFORMED_FRAME`. */
export function decodeHealthCheckRequest(message: Buffer): string {
  let service = "";
  readFields(message, (tag, bytes) => {
    if (tag === healthRequest.service) service = bytes.toString("utf8");
  });
  return service;
}

export function encodeHealthCheckResponse(status: ServingStatus): Buffer {
  return Buffer.of(healthResponse.status, protoEnums[servingStatusName][status]);
}

/** Hands out the fields that have a length, and steps over all others. */
function readFields(message: Buffer, take: (tag: number, bytes: Buffer) => void): void {
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
    } else throw malformed(`wire type ${wireType}`);
    if (size > message.length - offset) throw malformed("a field is longer than the message");
    if (wireType === wireTypes.bytes) {
      take(tag.value, message.subarray(offset, offset + size));
    }
    offset += size;
  }
}

function readVarint(
  bytes: Buffer,
  start: number,
): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let index = 0; index < longestVarint; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) throw malformed("an integer is cut short");
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, next: start + index + 1 };
  }
  throw malformed("an integer has no end");
}

function malformed(what: string): ParsecError {
  return new ParsecError("MALFORMED_FRAME", `the protobuf message cannot be read: ${what}`);
}
