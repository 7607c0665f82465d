import { expect, it } from "vitest";
import { toKey } from "../nats-auth.ts";
import { decodeRecord, encodeRecord } from "./nats-member-record.ts";

const record = { id: "node 日本", session: 2 ** 40, beat: 7, placement: "slots" };
const bucketKey = "c.n";
const key = toKey("the secret of all nodes");
const wallNow = 1_700_000_000_000;
const open = { bucketKey, keys: [], windowMs: 1000, wallNow };
const sealed = { ...open, keys: [toKey("a secret before that"), key] };

it("is JSON, and decodes to the encoded record", () => {
  const bytes = encodeRecord(record, { bucketKey, key: undefined, wallNow });
  expect(decodeRecord(bytes, open)).toEqual(record);
  expect(JSON.parse(bytes.toString())).toMatchObject(record);
});

it("is accepted when it is recent and signed with any of the keys, for this key of the bucket", () => {
  const bytes = encodeRecord(record, { bucketKey, key, wallNow });
  expect(decodeRecord(bytes, sealed)).toEqual(record);
  expect(decodeRecord(bytes, open)).toEqual(record);
  const unauthenticated = expect.objectContaining({ code: "UNAUTHENTICATED" });
  expect(() => decodeRecord(bytes, { ...sealed, bucketKey: "c.m" })).toThrow(unauthenticated);
  expect(() => decodeRecord(bytes, { ...sealed, keys: [toKey("another secret")] })).toThrow(
    unauthenticated,
  );
  expect(() => decodeRecord(bytes, { ...sealed, wallNow: wallNow + 1001 })).toThrow("too long ago");
  const unsigned = encodeRecord(record, { bucketKey, key: undefined, wallNow });
  expect(() => decodeRecord(unsigned, sealed)).toThrow("not signed");
  for (const field of ["id", "session", "beat", "placement", "at"]) {
    const fields = JSON.parse(bytes.toString()) as Record<string, unknown>;
    fields[field] = typeof fields[field] === "number" ? (fields[field] as number) + 1 : "other";
    const tampered = Buffer.from(JSON.stringify(fields));
    expect(() => decodeRecord(tampered, sealed), field).toThrow(unauthenticated);
  }
});

it.each([
  ["nothing", ""],
  ["no JSON", "{"],
  ["no object", "[]"],
  ["null", "null"],
  ["another version", JSON.stringify({ v: 2, ...record, at: 1 })],
  ["no id", JSON.stringify({ v: 1, session: 1, beat: 1, placement: "slots", at: 1 })],
  ["a session that is text", JSON.stringify({ v: 1, ...record, session: "1", at: 1 })],
  ["a beat below 0", JSON.stringify({ v: 1, ...record, beat: -1, at: 1 })],
  ["more than 4 KiB", JSON.stringify({ v: 1, ...record, at: 1, more: "x".repeat(4096) })],
])("is refused when it is %s", (_, text) => {
  expect(() => decodeRecord(Buffer.from(text), open)).toThrow(
    expect.objectContaining({ code: "MALFORMED_FRAME" }),
  );
});
