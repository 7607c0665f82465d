import fc from "fast-check";
import { expect, test } from "vitest";
import type { CacheEntry } from "./cache-entry.ts";
import { ExpiryQueue } from "./expiry-queue.ts";

const entryOf = (key: string, expiresAtMs: number): CacheEntry => {
  return { partition: 0, key, value: "", expiresAtMs, sizeBytes: 0, heldBytes: 0 };
};

test("returns due entries, the earliest first, and no dead ones", () => {
  const times = fc.array(fc.record({ at: fc.nat(50), gone: fc.boolean() }), { maxLength: 60 });
  fc.assert(
    fc.property(times, fc.nat(50), (wanted, nowMs) => {
      const live = new Set<CacheEntry>();
      const queue = new ExpiryQueue((entry) => live.has(entry));
      for (const [index, { at, gone }] of wanted.entries()) {
        const entry = entryOf(String(index), at);
        queue.add(entry);
        if (!gone) live.add(entry);
      }
      const taken: number[] = [];
      for (let next = queue.takeDue(nowMs); next !== undefined; next = queue.takeDue(nowMs)) {
        taken.push(next.expiresAtMs);
      }
      const due = [...live].map(({ expiresAtMs }) => expiresAtMs).filter((at) => at <= nowMs);
      expect(taken).toEqual(due.sort((left, right) => left - right));
    }),
  );
});

test("does not grow without bound when one key is written repeatedly", () => {
  let current: CacheEntry | undefined;
  const queue = new ExpiryQueue((entry) => entry === current);
  for (let at = 0; at < 10_000; at++) {
    const replaced = current;
    current = entryOf("key", 1_000_000 - at);
    queue.add(current);
    if (replaced !== undefined) queue.forget(1);
  }
  expect(queue.size).toBeLessThan(2_100);
  expect(queue.takeDue(1_000_000)).toBe(current);
});
