import fc from "fast-check";
import HashRing from "hashring";
import { describe, expect, it } from "vitest";
import { SlotRing, slotCount } from "./slot-ring.ts";

// The cache of hashring fails for names such as "toString", which every object has and no slot.
const text = fc.string({ unit: "binary" }).filter((name) => !(name in {}));

function hashringOf(nodes: readonly string[]): (key: string) => string {
  const ring = new HashRing(nodes, "md5", { "vnode count": 80, "max cache size": 1 });
  return (key) => ring.get(key);
}

const slots = Array.from({ length: slotCount }, (_, slot) => `slot-${slot}`);

function namesOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `http://10.0.0.${index}:8080`);
}

describe("the ring", () => {
  it("has the same owner as hashring for every slot and any set of nodes", () => {
    const nodes = fc.uniqueArray(fc.oneof(fc.webUrl(), text), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(nodes, (names) => {
        expect(new SlotRing().owners(names)).toEqual(slots.map(hashringOf(names)));
      }),
      { numRuns: 50 },
    );
  });

  it.each([1, 2, 3, 7, 10, 14, 49, 103, 300])(
    "has the same owners as hashring with %i nodes",
    (count) => {
      const nodes = namesOf(count);
      expect(new SlotRing().owners(nodes)).toEqual(slots.map(hashringOf(nodes)));
    },
  );

  it("has the same owners after members came and went, whatever it has kept of them", () => {
    const ring = new SlotRing();
    const names = namesOf(30);
    fc.assert(
      fc.property(fc.array(fc.subarray(names, { minLength: 1 }), { maxLength: 5 }), (changes) => {
        for (const nodes of changes) {
          ring.keep(nodes);
          expect(ring.owners(nodes)).toEqual(new SlotRing().owners(nodes));
        }
      }),
      { numRuns: 10 },
    );
  });

  it("is prepared in parts, and hashes no node again that it has kept", () => {
    const ring = new SlotRing();
    const nodes = namesOf(50);
    expect([1, 2, 3].map(() => ring.prepare(nodes, 20))).toEqual([false, false, true]);
    ring.keep(nodes.slice(0, 45));
    expect(ring.prepare(nodes.slice(0, 45), 0)).toBe(true);
    expect(ring.prepare(nodes, 0)).toBe(false);
  });

  it("assigns a point that two nodes share to the node listed first, as hashring does", () => {
    // Both have the point 1273748998, and the slot lies just before it.
    const [first, second, slot] = ["node-257", "node-479", 1505] as const;
    for (const nodes of [
      [first, second],
      [second, first],
    ]) {
      expect(new SlotRing().owners(nodes)[slot]).toBe(nodes[0]);
      expect(hashringOf(nodes)(`slot-${slot}`)).toBe(nodes[0]);
    }
  });
});
