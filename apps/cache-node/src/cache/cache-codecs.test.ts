import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CacheRecord } from "./cache-entry.ts";
import {
  decodeAnswer,
  decodeSetRequest,
  encodeAnswer,
  encodeSetRequest,
} from "./cache-messages.ts";
import { type CacheOperation, decodeOperation, encodeOperation } from "./cache-operation.ts";
import { decodeSnapshot, encodeSnapshot } from "./cache-snapshot.ts";

const text = fc.string({ unit: "grapheme" });
const timeMs = fc.maxSafeNat();
const operation: fc.Arbitrary<CacheOperation> = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), key: text, value: text, expiresAtMs: timeMs }),
  fc.record({ kind: fc.constant("delete" as const), key: text, nowMs: timeMs }),
);
const record: fc.Arbitrary<CacheRecord> = fc.record({
  key: text,
  value: text,
  expiresAtMs: timeMs,
});

const malformed = expect.objectContaining({ code: "MALFORMED_FRAME" });

/** Splits bytes into pieces of these lengths, and the rest into one piece. */
async function* cut(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) return;
    yield bytes.subarray(at, at + size);
    at += size;
  }
  if (at < bytes.length) yield bytes.subarray(at);
}

async function decodeAll(chunks: AsyncIterable<Uint8Array>): Promise<CacheRecord[]> {
  const records: CacheRecord[] = [];
  for await (const each of decodeSnapshot(chunks)) records.push(each);
  return records;
}

describe("operations", () => {
  test("decode to the encoded value", () => {
    fc.assert(
      fc.property(operation, (given) => {
        expect(decodeOperation(encodeOperation(given))).toEqual(given);
      }),
    );
  });

  test("any bytes decode to an operation or a typed error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          expect(["set", "delete"]).toContain(decodeOperation(bytes).kind);
        } catch (error) {
          expect(error).toEqual(malformed);
        }
      }),
    );
  });

  test("bytes that are truncated or too long are refused", () => {
    const bytes = encodeOperation({ kind: "delete", key: "key", nowMs: 5 });
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeOperation(bytes.subarray(0, length))).toThrow(malformed);
    }
    expect(() => decodeOperation(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(malformed);
  });
});

describe("snapshots", () => {
  test("decode to the encoded entries, wherever the chunks are split", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 50 })),
        async (records, sizes) => {
          const bytes = Buffer.concat([...encodeSnapshot(records)]);
          expect(await decodeAll(cut(bytes, sizes))).toEqual(records);
        },
      ),
    );
  });

  test("are split into many chunks when they are large", async () => {
    const records = Array.from({ length: 400 }, (_, at) => {
      return { key: `key ${at}`, value: "v".repeat(at * 5), expiresAtMs: at };
    });
    records.push({ key: "huge", value: "x".repeat(300_000), expiresAtMs: 0 });
    const chunks = [...encodeSnapshot(records)];
    expect(chunks.length).toBeGreaterThan(5);
    expect(await decodeAll(cut(Buffer.concat(chunks), []))).toEqual(records);
  });

  test("are refused when they are truncated, of another version, or with invalid lengths", async () => {
    const bytes = Buffer.concat([...encodeSnapshot([{ key: "k", value: "v", expiresAtMs: 1 }])]);
    for (let length = 0; length < bytes.length; length++) {
      // A single byte is an empty snapshot.
      if (length === 1) continue;
      await expect(decodeAll(cut(bytes.subarray(0, length), []))).rejects.toEqual(malformed);
    }
    const other = Buffer.from(bytes);
    other.writeUInt8(9, 0);
    await expect(decodeAll(cut(other, []))).rejects.toEqual(malformed);
    const huge = Buffer.from(bytes);
    huge.writeUInt32LE(0xffff_ffff, 1);
    await expect(decodeAll(cut(huge, []))).rejects.toEqual(malformed);
    const timeless = Buffer.from(bytes);
    timeless.writeDoubleLE(Number.NaN, 9);
    await expect(decodeAll(cut(timeless, []))).rejects.toEqual(malformed);
  });
});

describe("messages", () => {
  test("decode to the encoded value", () => {
    const request = fc.record({ value: text, ttlSeconds: fc.maxSafeNat() });
    const answer = fc.record({ node: text, existed: fc.boolean(), value: text });
    fc.assert(
      fc.property(request, answer, (asked, answered) => {
        expect(decodeSetRequest(encodeSetRequest(asked))).toEqual(asked);
        expect(decodeAnswer(encodeAnswer(answered))).toEqual(answered);
      }),
    );
  });

  test("malformed ones are refused", () => {
    expect(() => decodeSetRequest(new Uint8Array(7))).toThrow(malformed);
    expect(() => decodeSetRequest(Buffer.alloc(8, 0xff))).toThrow(malformed);
    expect(() => decodeAnswer(new Uint8Array(2))).toThrow(malformed);
    expect(() => decodeAnswer(Buffer.of(1, 9, 0, 65))).toThrow(malformed);
  });
});
