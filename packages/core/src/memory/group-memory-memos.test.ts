import { describe, expect, it } from "vitest";
import { SteppedClock } from "../../test/stepped-clock.ts";
import { resolvePolicy } from "../cache-policy.ts";
import { GroupCounters } from "../group-stats.ts";
import { GroupMemory } from "./group-memory.ts";
import { SlicedWork } from "./sliced-work.ts";

/** A memory of 256 KiB. The number of decoded values is counted. */
function countingMemory() {
  const clock = new SteppedClock();
  const counted = { decoded: 0 };
  const memory = new GroupMemory<unknown>({
    policy: resolvePolicy({ maxBytes: 2 ** 18 }),
    clock,
    decoder: {
      decode: (bytes) => {
        counted.decoded++;
        return JSON.parse(Buffer.from(bytes).toString());
      },
      shared: true,
    },
    counters: new GroupCounters(),
    slicedWork: new SlicedWork(clock),
  });
  const store = (key: string, data: unknown): void => {
    const value = Buffer.from(JSON.stringify(data));
    memory.store(key, { value, freshUntil: Number.POSITIVE_INFINITY, hot: false, tags: [] });
  };
  const decodesOf = (key: string): number => {
    const before = counted.decoded;
    memory.peek(key);
    return counted.decoded - before;
  };
  return { memory, store, decodesOf };
}

describe("decoded copies", () => {
  it("take at most half of the budget, so that reading entries does not evict most of them", () => {
    const { memory, store, decodesOf } = countingMemory();
    for (let index = 0; index < 800; index++) store(`k${index}`, { index });
    for (let index = 0; index < 800; index++) decodesOf(`k${index}`);
    expect(memory.stats().main).toMatchObject({ items: 800, evictions: 0 });
    expect(memory.stats().main.bytes).toBeLessThanOrEqual(2 ** 18);
  });

  it("of entries that were used least recently make room for one that is read twice", () => {
    const { store, decodesOf } = countingMemory();
    for (let index = 0; index < 800; index++) store(`k${index}`, { index });
    for (let index = 0; index < 800; index++) decodesOf(`k${index}`);
    expect(decodesOf("k799")).toBe(1);
    expect(decodesOf("k799")).toBe(0);
    expect(decodesOf("k0")).toBe(1);
  });

  it("I3 are charged for names that no other object has", () => {
    const sizeWith = (nameOf: (value: number, field: number) => string): number => {
      const { memory, store, decodesOf } = countingMemory();
      for (let value = 0; value < 5; value++) {
        const fields = Array.from({ length: 20 }, (_, field) => [nameOf(value, field), true]);
        store(`k${value}`, Object.fromEntries(fields));
      }
      const { bytes } = memory.stats().main;
      for (let value = 0; value < 5; value++) decodesOf(`k${value}`);
      return memory.stats().main.bytes - bytes;
    };
    const shared = sizeWith((_, field) => `field ${field + 10}`);
    const own = sizeWith((value, field) => `fld ${value} ${field + 10}`);
    expect(own - shared).toBeGreaterThan(4 * 20 * 180);
  });
});
