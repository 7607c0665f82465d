import fc from "fast-check";
import { expect, test } from "vitest";
import { CacheData } from "./cache-data.ts";

function dataAt(startMs: number): { readonly data: CacheData; readonly at: (ms: number) => void } {
  let nowMs = startMs;
  const data = new CacheData(() => nowMs);
  const at = (ms: number): void => {
    nowMs = ms;
  };
  return { data, at };
}

test("an expired value is never returned", () => {
  const { data, at } = dataAt(0);
  data.own([1]);
  data.set(1, { key: "k", value: "v", expiresAtMs: 1000 });
  at(999);
  expect(data.get(1, "k")?.value).toBe("v");
  at(1000);
  expect(data.get(1, "k")).toBeUndefined();
  expect(data.counts()).toMatchObject({ entries: 0, entriesWithTtl: 0, expired: 1, sizeBytes: 0 });
});

test("0 means no expiry", () => {
  const { data, at } = dataAt(0);
  data.set(1, { key: "k", value: "v", expiresAtMs: 0 });
  at(Number.MAX_SAFE_INTEGER);
  expect(data.sweep(10)).toBe(false);
  expect(data.get(1, "k")?.value).toBe("v");
});

test("a sweep removes due entries in slices, except those replaced meanwhile", () => {
  const { data, at } = dataAt(0);
  data.own([1]);
  for (let key = 0; key < 10; key++) {
    data.set(1, { key: String(key), value: "old", expiresAtMs: 100 });
  }
  data.set(1, { key: "0", value: "new", expiresAtMs: 0 });
  data.set(1, { key: "1", value: "new", expiresAtMs: 500 });
  at(200);
  expect(data.sweep(5)).toBe(true);
  expect(data.counts().expired).toBe(5);
  expect(data.sweep(5)).toBe(false);
  expect(data.counts()).toMatchObject({ entries: 2, entriesWithTtl: 1, expired: 8 });
});

test("entries count as owned by partition, and as released when others took them over", () => {
  const { data, at } = dataAt(0);
  data.own([1]);
  data.set(1, { key: "a", value: "1", expiresAtMs: 0 });
  data.set(2, { key: "b", value: "2", expiresAtMs: 10 });
  data.set(2, { key: "ü", value: "3", expiresAtMs: 0 });
  expect(data.counts()).toMatchObject({ entries: 1, backupEntries: 2, sizeBytes: 7 });
  at(20);
  data.sweep(10);
  expect(data.counts()).toMatchObject({ backupEntries: 1, expired: 0 });
  data.disown([1]);
  data.drop(1);
  expect(data.counts()).toMatchObject({ entries: 0, released: 1, backupEntries: 1 });
  expect(data.get(1, "a")).toBeUndefined();
});

type Step =
  | { readonly do: "set"; readonly key: string; readonly ttl: number }
  | { readonly do: "delete" | "get"; readonly key: string }
  | { readonly do: "sweep" | "drop" | "copy" }
  | { readonly do: "wait"; readonly ms: number };

const key = fc.constantFrom("a", "b", "c");
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("set" as const), key, ttl: fc.constantFrom(0, 1, 5) }),
    fc.record({ do: fc.constantFrom("delete" as const, "get" as const), key }),
    fc.record({ do: fc.constantFrom("sweep" as const, "drop" as const, "copy" as const) }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 4 }) }),
  ),
  { maxLength: 60 },
);

test("behaves like a map of values and deadlines, with correct counts", () => {
  fc.assert(
    fc.property(steps, (all) => {
      let nowMs = 1;
      const data = new CacheData(() => nowMs);
      data.own([0]);
      const model = new Map<string, { value: string; deadline: number }>();
      for (const [index, step] of all.entries()) {
        const value = String(index);
        if (step.do === "set") {
          const expiresAtMs = step.ttl === 0 ? 0 : nowMs + step.ttl;
          data.set(0, { key: step.key, value, expiresAtMs });
          model.set(step.key, { value, deadline: expiresAtMs || Number.POSITIVE_INFINITY });
        } else if (step.do === "delete") {
          data.delete(0, step.key);
          model.delete(step.key);
        } else if (step.do === "wait") nowMs += step.ms;
        else if (step.do === "sweep") data.sweep(2);
        else if (step.do === "copy") data.replace(0, data.entriesOf(0));
        else if (step.do === "drop") {
          data.drop(0);
          model.clear();
        }
        for (const [name, { deadline }] of model) if (deadline <= nowMs) model.delete(name);
        if (step.do === "get")
          expect(data.get(0, step.key)?.value).toBe(model.get(step.key)?.value);
      }
      data.sweep(Number.POSITIVE_INFINITY);
      const left = data.entriesOf(0).map((entry) => [entry.key, entry.value]);
      expect(left.sort()).toEqual([...model].map(([name, entry]) => [name, entry.value]).sort());
      const { entries, entriesWithTtl, sizeBytes } = data.counts();
      const withTtl = [...model.values()].filter(({ deadline }) => Number.isFinite(deadline));
      const size = left.flat().join("").length;
      expect({ entries, entriesWithTtl, sizeBytes }).toEqual({
        entries: model.size,
        entriesWithTtl: withTtl.length,
        sizeBytes: size,
      });
    }),
    { numRuns: 300 },
  );
});
