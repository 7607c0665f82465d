import { ParsecError } from "@parsec/core";
import { parseRecord } from "../table/json-fields.ts";
import { tableLimits } from "../table/table-limits.ts";

/** `leaving`: give me nothing and take what I have. `gone`: I serve nothing any more, wait for nobody. */
export type LeaseStatus = "active" | "leaving" | "gone";

/** What a member says of itself under its own key, again and again. */
export interface LeaseRecord {
  readonly id: string;
  readonly session: string;
  readonly address: string;
  readonly zone: string;
  readonly weight: number;
  readonly durable: boolean;
  readonly status: LeaseStatus;
  /** Counts the renewals. */
  readonly beat: number;
  /** The revision of the record of an earlier session that this one replaced, 0 for none. */
  readonly replaced: number;
}

const version = 1;
const statuses: readonly string[] = ["active", "leaving", "gone"] satisfies LeaseStatus[];

const prefix = "m.";

/** Where the lease of a node is kept. Ids may hold what keys may not. */
export function leaseKey(id: string): string {
  return prefix + Buffer.from(id).toString("base64url");
}

export function isLeaseKey(key: string): boolean {
  return key.startsWith(prefix);
}

export function encodeLease(record: LeaseRecord): Uint8Array {
  return Buffer.from(JSON.stringify({ v: version, ...record }));
}

/** Throws `MALFORMED_FRAME` or `FRAME_TOO_LARGE` for anything but a sound record that belongs under `key`. */
export function decodeLease(key: string, bytes: Uint8Array): LeaseRecord {
  const { maxLeaseBytes: maxBytes, maxNameBytes, maxAddressBytes, maxWeight } = tableLimits;
  const what = "a member's lease";
  const fields = parseRecord(bytes, { what, maxBytes });
  const written = fields.integer("v", {});
  const status = fields.text("status", { max: 16 });
  if (written !== version || !statuses.includes(status)) {
    throw new ParsecError("MALFORMED_FRAME", `${what} is of a version that this one cannot read`);
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
  throw new ParsecError("MALFORMED_FRAME", `${what} stands under the key of another`);
}
