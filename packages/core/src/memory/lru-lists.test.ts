import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hotList, type ListName, LruLists, mainList } from "./lru-lists.ts";

/** Slots of a list, least recently used first. */
function order(links: LruLists, list: ListName): number[] {
  const slots: number[] = [];
  for (let slot = links.oldest(list); slot !== list; slot = links.newer(slot)) slots.push(slot);
  return slots;
}

describe("LruLists", () => {
  it("starts with two empty lists", () => {
    const links = new LruLists(1000);
    expect(links.oldest(mainList)).toBe(mainList);
    expect(links.oldest(hotList)).toBe(hotList);
  });

  it("keeps both lists in the order of a plain array", () => {
    const step = fc.record({
      slot: fc.integer({ min: 2, max: 40 }),
      list: fc.constantFrom<ListName>(mainList, hotList),
      remove: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const links = new LruLists(1000);
        const model = { [mainList]: [] as number[], [hotList]: [] as number[] };
        for (const { slot, list, remove } of steps) {
          const holder = ([mainList, hotList] as const).find((name) => model[name].includes(slot));
          if (holder === undefined) {
            links.add(slot, list);
            model[list].push(slot);
          } else {
            model[holder].splice(model[holder].indexOf(slot), 1);
            if (remove) {
              links.remove(slot);
            } else {
              links.touch(slot, holder);
              model[holder].push(slot);
            }
          }
          expect(order(links, mainList)).toEqual(model[mainList]);
          expect(order(links, hotList)).toEqual(model[hotList]);
        }
      }),
      { numRuns: 100 },
    );
  });
});
