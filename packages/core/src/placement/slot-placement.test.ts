import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPlacement } from "./create-placement.ts";
import { createSlotPlacement as slotPlacementOn } from "./slot-placement.ts";
import { SlotRing } from "./slot-ring.ts";

const createSlotPlacement = (ids: readonly string[]) => slotPlacementOn(ids, new SlotRing());

const keys = Array.from({ length: 20_000 }, (_, index) => `user:${index}`);

function namesOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `http://cache-${index}.cache.svc:8080`);
}

function owners(ids: readonly string[]): string[] {
  const placement = createSlotPlacement(ids);
  return keys.map((key) => placement.ownerOf(key));
}

describe("createSlotPlacement", () => {
  // Nodes of different releases must agree on owners, so these must not change.
  it("assigns known keys to the same nodes as in earlier releases", () => {
    const placement = createSlotPlacement([1, 2, 3].map((host) => `http://10.0.0.${host}:8080`));
    const hostOf = (key: string): string => placement.ownerOf(key).slice(14, 15);
    const known = [
      "user:12345",
      "user:67890",
      "user:11111",
      "alice",
      "a b",
      "a+b",
      "",
      "日本",
      "\udcff\udcfe",
    ];
    expect(known.map(hostOf).join("")).toBe("311133223");
  });

  it("does not depend on the order of ids or on duplicates", () => {
    const ids = namesOf(5);
    const expected = owners(ids);
    fc.assert(
      fc.property(fc.shuffledSubarray(ids, { minLength: ids.length }), (shuffled) => {
        expect(owners([...shuffled, shuffled[0] as string])).toEqual(expected);
      }),
      { numRuns: 5 },
    );
  });

  it.each([2, 3, 5, 10])(
    "moves only the share of the node that joins or leaves %i others",
    (count) => {
      const before = owners(namesOf(count));
      const after = owners(namesOf(count + 1));
      const joined = namesOf(count + 1).at(-1) as string;
      let moved = 0;
      keys.forEach((_, index) => {
        if (before[index] === after[index]) return;
        moved++;
        expect(after[index]).toBe(joined);
      });
      expect(moved / keys.length).toBeLessThan(1.5 / (count + 1));
      expect(moved).toBe(after.filter((owner) => owner === joined).length);
    },
  );

  it.each([2, 3, 5, 10])(
    "assigns each of %i nodes between 0.6 and 1.5 times the mean share",
    (count) => {
      const owned = new Map<string, number>();
      for (const owner of owners(namesOf(count))) owned.set(owner, (owned.get(owner) ?? 0) + 1);
      expect(owned.size).toBe(count);
      for (const share of owned.values()) {
        expect((share / keys.length) * count).toBeGreaterThan(0.6);
        expect((share / keys.length) * count).toBeLessThan(1.5);
      }
    },
  );

  it("places any string, the empty one and lone surrogates too, on a member", () => {
    const ids = namesOf(3);
    const placement = createPlacement("slots", ids);
    const same = createSlotPlacement(ids);
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff)), (units) => {
        const key = String.fromCharCode(...units);
        expect(ids).toContain(placement.ownerOf(key));
        expect(placement.ownerOf(key)).toBe(same.ownerOf(key));
      }),
    );
    expect(ids).toContain(placement.ownerOf(""));
    expect(ids).toContain(placement.ownerOf("\ud800"));
  });

  it("assigns all keys to a single node", () => {
    expect(createSlotPlacement(["only"]).ownerOf("any")).toBe("only");
  });

  it("does not share state between placements", () => {
    const [one, other] = [createSlotPlacement(["a"]), createSlotPlacement(["b"])];
    expect([one.ownerOf("k"), other.ownerOf("k")]).toEqual(["a", "b"]);
  });
});
