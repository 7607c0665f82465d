import { keyFromBytes, keyToBytes } from "@parsec/core/transport";
import type { WriteAck } from "../replication/partition-log.ts";
import type { FieldReader } from "../wire/field-reader.ts";
import { type RequestHead, writeHead } from "../wire/ring-message.ts";

/** A request to the owner of a partition. */
export type OwnerRequest =
  | {
      readonly kind: "call";
      readonly key: string;
      readonly method: string;
      readonly payload: Uint8Array;
      readonly timeoutMs: number;
      /** Whether the request may be executed twice. Not sent to the owner. */
      readonly idempotent: boolean;
    }
  | { readonly kind: "write"; readonly op: Uint8Array; readonly ack: WriteAck }
  | { readonly kind: "read"; readonly query: Uint8Array; readonly staleOk: boolean };

const acks: readonly WriteAck[] = ["owner", "one-backup", "all"];
const maxMethodBytes = 255;

export function encodeRequest(head: RequestHead, request: OwnerRequest): Uint8Array {
  if (request.kind === "call") {
    const { key, method, payload, timeoutMs } = request;
    const writer = writeHead(head, payload.length + key.length * 3 + method.length + 32);
    return writer
      .text(method)
      .bytes(keyToBytes(key))
      .count(Math.ceil(timeoutMs))
      .rest(payload)
      .finish();
  }
  if (request.kind === "write") {
    const { op, ack } = request;
    return writeHead(head, op.length + 8)
      .u8(acks.indexOf(ack))
      .rest(op)
      .finish();
  }
  const { query, staleOk } = request;
  return writeHead(head, query.length + 8)
    .u8(staleOk ? 1 : 0)
    .rest(query)
    .finish();
}

/** Decodes a request. An operation is copied; other bytes are views. Throws `MALFORMED_FRAME` or `FRAME_TOO_LARGE`. */
export function decodeRequest(
  kind: OwnerRequest["kind"],
  reader: FieldReader,
  { maxKeyBytes }: { readonly maxKeyBytes: number },
): OwnerRequest {
  if (kind === "call") {
    const method = reader.text(maxMethodBytes);
    const key = keyFromBytes(reader.bytes(maxKeyBytes));
    const timeoutMs = reader.count();
    return { kind, method, key, timeoutMs, payload: reader.rest(), idempotent: false };
  }
  if (kind === "write") {
    const ack = acks[reader.u8()] ?? "all";
    // Copied: an operation may be kept for long, and must not keep the whole message alive.
    return { kind, ack, op: Uint8Array.from(reader.rest()) };
  }
  return { kind, staleOk: reader.u8() === 1, query: reader.rest() };
}
