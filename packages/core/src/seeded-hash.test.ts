import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashKey } from "./key-hash.ts";
import { SeededHash } from "./seeded-hash.ts";

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/** 2^bits different keys with the same {@link hashKey}: five letters are found twice for each of its states. */
function collidingKeys(bits: number): string[] {
  const step = (state: number, code: number): number => Math.imul(state ^ code, 0x01000193);
  const pairs: [string, string][] = [];
  let state = 0x811c9dc5;
  let random = 12345;
  let seen = new Map<number, string>();
  while (pairs.length < bits) {
    let block = "";
    let after = state;
    for (let index = 0; index < 5; index++) {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      const letter = letters[(random >>> 16) % letters.length] as string;
      block += letter;
      after = step(after, letter.charCodeAt(0));
    }
    const other = seen.get(after);
    seen.set(after, block);
    if (other === undefined || other === block) continue;
    pairs.push([other, block]);
    state = after;
    seen = new Map();
  }
  return Array.from({ length: 2 ** bits }, (_, number) =>
    pairs.map((pair, bit) => pair[(number >> bit) & 1]).join(""),
  );
}

/** The number of keys in the fullest of as many buckets as there are keys. */
function fullestBucket(keys: readonly string[], hash: SeededHash): number {
  const size = 2 ** Math.ceil(Math.log2(keys.length));
  const counts = new Uint32Array(size);
  for (const key of keys) {
    const bucket = hash.of(key) & (size - 1);
    counts[bucket] = (counts[bucket] as number) + 1;
  }
  return Math.max(...counts);
}

describe("SeededHash", () => {
  it("spreads keys that collide in the placement hash", () => {
    const keys = collidingKeys(10);
    expect(new Set(keys.map(hashKey)).size).toBe(1);
    expect(new Set(keys).size).toBe(1024);
    expect(fullestBucket(keys, new SeededHash())).toBeLessThan(32);
  });

  it.each([
    ["digits", (index: number) => `user:${index}`],
    ["multiples of 4,096", (index: number) => String(index * 4096)],
    ["one character each", (index: number) => String.fromCharCode(index)],
    ["lengths", (index: number) => "\0".repeat(index)],
  ])("spreads keys that differ in their %s", (_name, keyOf) => {
    const keys = Array.from({ length: 4096 }, (_, index) => keyOf(index));
    expect(fullestBucket(keys, new SeededHash())).toBeLessThan(64);
  });

  it("hashes a key to the same signed 32-bit integer before and after it has met longer keys", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), fc.nat(70_000), (key, length) => {
        const hash = new SeededHash();
        const before = hash.of(key);
        expect(before).toBe(before | 0);
        hash.of("x".repeat(length));
        expect(hash.of(key)).toBe(before);
      }),
      { numRuns: 30 },
    );
  });

  it("differs from instance to instance", () => {
    expect(new SeededHash().of("user:1")).not.toBe(new SeededHash().of("user:1"));
  });
});
