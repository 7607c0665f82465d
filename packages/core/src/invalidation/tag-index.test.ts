import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TagIndex } from "./tag-index.ts";

describe("TagIndex", () => {
  it("finds entries by tag like a plain map of sets", () => {
    const anyKey = fc.constantFrom("a", "b", "c", "日");
    const anyTag = fc.constantFrom("", "team:1", "team:2", "日");
    const step = fc.record({ key: anyKey, tags: fc.option(fc.array(anyTag), { nil: undefined }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
        const index = new TagIndex();
        const model = new Map<string, readonly string[]>();
        for (const { key, tags } of steps) {
          // A key is removed before it is added again: its old tags are not its new ones.
          index.remove(key);
          model.delete(key);
          if (tags !== undefined) {
            index.add(key, tags);
            model.set(key, tags);
          }
          expect(index.of(key)).toEqual(tags ?? []);
          for (const tag of ["", "team:1", "team:2", "日", "never"]) {
            const carriers = [...model].filter(([, carried]) => carried.includes(tag));
            expect([...index.keys(tag)].sort()).toEqual(
              carriers.map(([carrier]) => carrier).sort(),
            );
          }
        }
      }),
    );
  });

  it("returns a list that later changes do not affect", () => {
    const index = new TagIndex();
    index.add("a", ["t"]);
    index.add("b", ["t"]);
    const seen: string[] = [];
    for (const key of index.keys("t")) {
      index.remove(key);
      seen.push(key);
    }
    expect(seen.sort()).toEqual(["a", "b"]);
    expect(index.keys("t")).toEqual([]);
  });

  it("costs more for longer keys and tags, and for more of them", () => {
    const base = TagIndex.cost("k", ["t"]);
    expect(TagIndex.cost("kk", ["t"])).toBeGreaterThan(base);
    expect(TagIndex.cost("k", ["tt"])).toBeGreaterThan(base);
    expect(TagIndex.cost("k", ["t", "u"])).toBeGreaterThan(base + 64);
  });
});
