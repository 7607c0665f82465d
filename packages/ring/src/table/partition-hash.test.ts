import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { partitionOf } from "./partition-hash.ts";

const vectors: readonly [key: string, of64: number, of256: number][] = [
  ["user:1", 5, 133],
  ["user:12345", 40, 40],
  ["alice", 47, 175],
  ["hello", 14, 14],
  ["", 20, 20],
];

describe("the partition of a key", () => {
  it.each(vectors)("of %j is what go-cluster makes of it", (key, of64, of256) => {
    expect(partitionOf(key, 64)).toBe(of64);
    expect(partitionOf(key, 256)).toBe(of256);
  });

  it("is the 64-bit number modulo the number of partitions, for any number", () => {
    const keys = fc.string({ unit: "grapheme" });
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 4096 }), (key, partitions) => {
        const number = createHash("sha256").update(key).digest().readBigUInt64BE(0);
        expect(partitionOf(key, partitions)).toBe(Number(number % BigInt(partitions)));
      }),
    );
  });
});
