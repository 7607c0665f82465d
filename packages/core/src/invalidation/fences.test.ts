import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FenceTable, newFence } from "./fences.ts";

const largestFence = Number.MAX_SAFE_INTEGER;
/** Random and large like real fences, so that none is the sum of others by chance. */
const anyFence = fc.noBias(fc.integer({ min: 2 ** 40, max: largestFence - 1 }));

function tableWith(fences: readonly number[], key = "k"): FenceTable {
  const table = new FenceTable();
  for (const fence of fences) table.add(key, fence);
  return table;
}

describe("FenceTable", () => {
  it("I2 has the combined fence 0 for a key that was never invalidated", () => {
    const table = tableWith([7], "other");
    expect(table.get("k")).toBe(0);
    expect(table.knows("k", 0)).toBe(true);
    expect(table.knows("k", 7)).toBe(false);
  });

  it("I2 has the fence itself as combined fence after one invalidation", () => {
    const table = tableWith([7]);
    expect(table.get("k")).toBe(7);
    expect(table.knows("k", 7)).toBe(true);
    expect(table.knows("k", 8)).toBe(false);
  });

  it("has the newest fences separately, but not an adopted one", () => {
    const table = tableWith([1, 2, 3, 4, 5, 6, 7]);
    expect([1, 2, 3, 4, 5, 6, 7, 8].filter((fence) => table.has("k", fence))).toEqual([
      2, 3, 4, 5, 6, 7,
    ]);
    expect(table.has("other", 7)).toBe(false);
    table.adopt("k", 9);
    expect([2, 7, 9].filter((fence) => table.has("k", fence))).toEqual([]);
  });

  it("I2 has one combined fence for the same invalidations in any order", () => {
    const twoOrders = fc
      .uniqueArray(anyFence, { minLength: 1, maxLength: 12 })
      .chain((made) =>
        fc.tuple(fc.constant(made), fc.shuffledSubarray(made, { minLength: made.length })),
      );
    fc.assert(
      fc.property(twoOrders, ([one, other]) => {
        expect(tableWith(other).get("k")).toBe(tableWith(one).get("k"));
      }),
      { numRuns: 500 },
    );
  });

  it("I2 changes the combined fence with each invalidation, and never to 0", () => {
    const nearTheEnds = fc.oneof(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: largestFence - 9, max: largestFence - 1 }),
    );
    fc.assert(
      fc.property(fc.uniqueArray(fc.oneof(anyFence, nearTheEnds), { maxLength: 20 }), (fences) => {
        const table = new FenceTable();
        for (const fence of fences) {
          const before = table.get("k");
          table.add("k", fence);
          const after = table.get("k");
          expect(after).not.toBe(before);
          expect(Number.isSafeInteger(after) && after >= 1 && after <= largestFence).toBe(true);
          expect(table.knows("k", fence)).toBe(true);
          expect(table.knows("k", after)).toBe(true);
        }
      }),
    );
  });

  it("I2 ignores duplicates of the newest fences", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(anyFence, { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (fences, repeats) => {
          const table = tableWith(fences);
          const standing = table.get("k");
          for (const at of repeats) table.add("k", fences[at % fences.length] as number);
          expect(table.get("k")).toBe(standing);
        },
      ),
    );
  });

  it("I2 knows the combined fence of any subset of its newest fences, and no other", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(anyFence, { minLength: 1, maxLength: 6 }),
        fc.nat(),
        anyFence,
        (fences, some, stranger) => {
          const table = tableWith(fences);
          const subset = fences.filter((_, index) => some & (1 << index));
          expect(table.knows("k", tableWith(subset).get("k"))).toBe(true);
          expect(table.knows("k", tableWith([...subset, stranger]).get("k"))).toBe(false);
        },
      ),
    );
  });

  it("I2 knows the sum of the older fences, with and without newer ones", () => {
    const fences = Array.from({ length: 20 }, (_, index) => 3 ** index);
    const table = tableWith(fences);
    for (let count = 14; count <= 20; count++) {
      expect(table.knows("k", tableWith(fences.slice(0, count)).get("k"))).toBe(true);
    }
    // Without one of the older fences the sum is unknown.
    expect(tableWith(fences.slice(1)).knows("k", table.get("k"))).toBe(false);
  });

  it("I2 has the owner's combined fence after adopting it", () => {
    const table = tableWith([10]);
    table.adopt("k", 999);
    expect(table.get("k")).toBe(999);
    expect(table.knows("k", 999)).toBe(true);
    table.adopt("k", 0);
    expect(table.get("k")).toBe(999);
    table.add("k", 1);
    expect(table.get("k")).toBe(1000);
    expect(table.knows("k", 999)).toBe(true);
  });

  it("does not mix up keys", () => {
    const table = new FenceTable();
    table.add("a", 1);
    table.add("b", 2);
    table.add("a", 4);
    expect([table.get("a"), table.get("b"), table.get("c")]).toEqual([5, 2, 0]);
  });

  it("keeps at least the last N keys and at most the last 2 N", () => {
    const size = 50;
    const table = new FenceTable({ generationKeys: size });
    for (let index = 0; index < 1000; index++) {
      table.add(`k${index}`, index + 1);
      let remembered = 0;
      for (let back = 0; back <= Math.min(index, 3 * size); back++) {
        const standing = table.get(`k${index - back}`);
        if (standing !== 0) remembered++;
        if (back < size) expect(standing).toBe(index - back + 1);
      }
      expect(remembered).toBeLessThanOrEqual(2 * size);
    }
  });

  it("keeps a key that is invalidated repeatedly, with a few fences only", () => {
    const table = new FenceTable({ generationKeys: 4 });
    for (let round = 1; round <= 100; round++) {
      table.add("busy", round * 1000);
      table.add(`other ${round}`, 1);
      expect(table.knows("busy", round * 1000)).toBe(true);
    }
    // The first fence was dropped long ago, so it counts as a new one.
    expect(table.knows("busy", 1000)).toBe(false);
  });
});

describe("newFence", () => {
  it("is an integer from 1 up to the largest whose sums are exact", () => {
    expect(newFence(() => 0)).toBe(1);
    const last = newFence(() => 1 - 2 ** -53);
    expect(Number.isSafeInteger(last)).toBe(true);
    expect(last).toBeLessThanOrEqual(largestFence - 1);
    const fences = Array.from({ length: 1000 }, () => newFence(Math.random));
    expect(new Set(fences).size).toBe(1000);
    for (const fence of fences) expect(Number.isSafeInteger(fence) && fence >= 1).toBe(true);
  });

  it("I3 forgets the oldest keys when a generation exceeds its share of the budget", () => {
    const table = new FenceTable({ maxBytes: 2 ** 20 });
    const keyOf = (index: number): string => `${index}`.padEnd(1000, "x");
    for (let index = 0; index < 200; index++) table.add(keyOf(index), 1 + index);
    const known = Array.from({ length: 200 }, (_, index) => table.get(keyOf(index)) !== 0);
    // A generation of 32 KiB holds 14 keys of 2,200 bytes, and there are two.
    expect(known.lastIndexOf(false)).toBeGreaterThanOrEqual(200 - 28);
    expect(known.lastIndexOf(false)).toBeLessThan(200 - 14);
  });

  it("remembers some keys however small the budget is", () => {
    const table = new FenceTable({ maxBytes: 0 });
    for (let index = 0; index < 1000; index++) table.add(`${index}`, 1 + index);
    for (let index = 950; index < 1000; index++) expect(table.get(`${index}`)).toBe(1 + index);
    table.add("x".repeat(60_000), 7);
    table.add("y", 8);
    expect(table.get("x".repeat(60_000))).toBe(7);
  });
});
