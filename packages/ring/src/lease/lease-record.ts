import { ParsecError } from "@parsec/core";
import { parseRecord } from "../table/json-fields.ts";
import { tableLimits } from "../table/table-limits.ts";

/** `leaving`: the node hands its partitions over. `gone`: it has stopped serving; the others need not wait. */
export type LeaseStatus = "active" | "leaving" | "gone";

/** The record that a member writes under its own key, and renews. */
export interface LeaseRecord {
  readonly id: string;
  readonly session: string;
  readonly address: string;
  readonly zone: string;
  readonly weight: number;
  readonly durable: boolean;
  readonly status: LeaseStatus;
  /** Number of renewals. */
  readonly beat: number;
  /** Revision of the record of an earlier session that this one replaced; 0 for none. */
  readonly replaced: number;
}

const version = 1;
const statuses: readonly string[] = ["active", "leaving", "gone"] satisfies LeaseStatus[];

const prefix = "m.";

/** The key of a node's lease. Encoded, because ids may contain characters that keys may not. */
export function leaseKey(id: string): string {
  return prefix + Buffer.from(id).toString("base64url");
}

export function isLeaseKey(key: string): boolean {
  return key.startsWith(prefix);
}

export function encodeLease(record: LeaseRecord): Uint8Array {
  return Buffer.from(JSON.stringify({ v: version, ...record }));
}

/** Decodes a record. Throws `MALFORMED_FRAME` or `FRAME_TOO_LARGE` unless it is valid and belongs under `key`. */
export function decodeLease(key: string, bytes: Uint8Array): LeaseRecord {
  const { maxLeaseBytes: maxBytes, maxNameBytes, maxAddressBytes, maxWeight } = tableLimits;
  const what = "a member's lease";
  const fields = parseRecord(bytes, { what, maxBytes });
  const written = fields.integer("v", {});
  const status = fields.text("status", { max: 16 });
  if (written !== version || !statuses.includes(status)) {
    throw new ParsecError("MALFORMED_FRAME", `${what} has a version that is not supported`);
  }
  const record: LeaseRecord = {
    id: fields.text("id", { min: 1, max: maxNameBytes }),
    session: fields.text("session", { min: 1, max: maxNameBytes }),
    address: fields.text("address", { max: maxAddressBytes }),
    zone: fields.text("zone", { max: maxNameBytes }),
    weight: fields.number("weight", { min: 0, max: maxWeight }),
    durable: fields.boolean("durable"),
    status: status as LeaseStatus,
    beat: fields.integer("beat", {}),
    replaced: fields.integer("replaced", {}),
  };
  if (leaseKey(record.id) === key) return record;
  throw new ParsecError("MALFORMED_FRAME", `${what} is stored under the key of another member`);
}
