import { createHmac, type KeyObject, timingSafeEqual } from "node:crypto";
import { ParsecError } from "@parsec/core";
import { malformed } from "../nats-wire.ts";

/** The heartbeat of a member, under its own key in the bucket. */
export interface MemberRecord {
  readonly id: string;
  /** Identifies the process: changes when a member is restarted. */
  readonly session: number;
  /** Increases with each heartbeat of a session. */
  readonly beat: number;
  /** Members with another placement cause a warning. */
  readonly placement: string;
}

const version = 1;
const longestRecordBytes = 4096;

/** The record as JSON, so that `nats kv get` shows it; signed when there is a key. */
export function encodeRecord(
  record: MemberRecord,
  sealed: {
    readonly bucketKey: string;
    readonly key: KeyObject | undefined;
    readonly wallNow: number;
  },
): Buffer {
  const { id, session, beat, placement } = record;
  const at = Math.floor(sealed.wallNow);
  const { key, bucketKey } = sealed;
  const fields = { v: version, id, session, beat, placement, at };
  const mac = key && macOf(key, { bucketKey, record, at }).toString("base64url");
  return Buffer.from(JSON.stringify(mac === undefined ? fields : { ...fields, mac }), "utf8");
}

/**
 * Reads a record. With keys, it must be recent and signed with one of them; its time is not used to detect silence.
 * Throws `MALFORMED_FRAME` or `UNAUTHENTICATED`.
 */
export function decodeRecord(
  bytes: Uint8Array,
  sealed: {
    readonly bucketKey: string;
    readonly keys: readonly KeyObject[];
    readonly windowMs: number;
    readonly wallNow: number;
  },
): MemberRecord {
  const fields = parse(bytes);
  const { v, id, session, beat, placement, at, mac } = fields;
  if (v !== version) throw malformed("a member's record has a version that is not supported");
  if (typeof id !== "string" || typeof placement !== "string") {
    throw malformed("a member's record has no id or placement");
  }
  if (!isCount(session) || !isCount(beat) || !isCount(at)) {
    throw malformed("a member's record has no session, beat or time");
  }
  const record = { id, session, beat, placement };
  const { keys, bucketKey, windowMs, wallNow } = sealed;
  if (keys.length === 0) return record;
  const claimed = Buffer.from(typeof mac === "string" ? mac : "", "base64url");
  const genuine = keys.some((key) => {
    const expected = macOf(key, { bucketKey, record, at });
    return claimed.length === expected.length && timingSafeEqual(claimed, expected);
  });
  if (!genuine) throw unauthenticated("a member's record is not signed, or not by this cluster");
  if (Math.abs(wallNow - at) > windowMs) {
    throw unauthenticated("a member's record was signed too long ago, or clocks differ");
  }
  return record;
}

function macOf(
  key: KeyObject,
  signed: { readonly bucketKey: string; readonly record: MemberRecord; readonly at: number },
): Buffer {
  const { bucketKey, record, at } = signed;
  const { id, session, beat, placement } = record;
  const text = JSON.stringify([
    "parsec member",
    version,
    bucketKey,
    id,
    session,
    beat,
    placement,
    at,
  ]);
  return createHmac("sha256", key).update(text).digest();
}

function parse(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.length > longestRecordBytes) throw malformed("a member's record is too long");
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    if (typeof parsed === "object" && parsed !== null) return parsed as Record<string, unknown>;
  } catch {
    // Handled like a value that is not an object.
  }
  throw malformed("a member's record is not a JSON object");
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function unauthenticated(message: string): ParsecError {
  return new ParsecError("UNAUTHENTICATED", message);
}
