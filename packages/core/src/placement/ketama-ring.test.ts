import fc from "fast-check";
import HashRing from "hashring";
import { describe, expect, it } from "vitest";
import { createKetamaRing } from "./ketama-ring.ts";

// The cache of hashring fails for names such as "toString", which every object has and no slot.
const text = fc.string({ unit: "binary" }).filter((name) => !(name in {}));

function hashringOf(nodes: readonly string[]): (key: string) => string {
  const ring = new HashRing(nodes, "md5", { "vnode count": 80, "max cache size": 1 });
  return (key) => ring.get(key);
}

const keys = Array.from({ length: 2_000 }, (_, index) => `slot-${index}`);

describe("the ring", () => {
  it("has the same owner as hashring for every key and any set of nodes", () => {
    const nodes = fc.uniqueArray(fc.oneof(fc.webUrl(), text), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(nodes, fc.array(text, { minLength: 50 }), (names, some) => {
        const ours = createKetamaRing(names);
        const theirs = hashringOf(names);
        for (const key of some) expect(ours(key)).toBe(theirs(key));
      }),
      { numRuns: 50 },
    );
  });

  it.each([1, 2, 3, 7, 10, 14, 49, 103, 300])(
    "has the same owners as hashring with %i nodes",
    (count) => {
      const nodes = Array.from({ length: count }, (_, index) => `http://10.0.0.${index}:8080`);
      const theirs = hashringOf(nodes);
      expect(keys.map(createKetamaRing(nodes))).toEqual(keys.map((key) => theirs(key)));
    },
  );

  it("assigns a point that two nodes share to the node listed first, as hashring does", () => {
    // Both have the point 1273748998, and the key lies just before it.
    const [first, second, key] = ["node-257", "node-479", "key-1838"] as const;
    for (const nodes of [
      [first, second],
      [second, first],
    ]) {
      expect(createKetamaRing(nodes)(key)).toBe(nodes[0]);
      expect(hashringOf(nodes)(key)).toBe(nodes[0]);
    }
  });
});
