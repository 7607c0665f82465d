import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteStore } from "./byte-store.ts";

const tagsInUse = ["", "team:1", "team:2", "日", "x".repeat(700), "日".repeat(400)];
const keys = ["a", "b", "c", "日", "d".repeat(600)];

function storeOf(maxBytes: number): ByteStore {
  return new ByteStore({ maxBytes, onRemove: () => {} });
}

function put(store: ByteStore, key: string, tags: readonly string[]): number {
  return store.put(key, Buffer.from(key), { freshUntil: 1, hot: false, tags });
}

/** The keys that can be used. */
function present(store: ByteStore, among: readonly string[] = keys): string[] {
  return among.filter((key) => {
    const slot = store.find(key);
    return slot >= 0 && !store.isDoomed(slot);
  });
}

describe("entries with tags", () => {
  it("are found and removed by tag like those of a plain map, some at once and others in sweeps", () => {
    const step = fc.oneof(
      {
        weight: 25,
        arbitrary: fc.record({
          kind: fc.constant("put" as const),
          key: fc.constantFrom(...keys),
          tags: fc.array(fc.constantFrom(...tagsInUse), { maxLength: 5 }),
        }),
      },
      {
        weight: 10,
        arbitrary: fc.record({
          kind: fc.constant("delete tag" as const),
          tag: fc.constantFrom(...tagsInUse, "never"),
          atOnce: fc.nat(2),
        }),
      },
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constant("sweep" as const), count: fc.nat(3) }),
      },
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constant("delete" as const),
          key: fc.constantFrom(...keys),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
        const store = storeOf(2 ** 20);
        const model = new Map<string, readonly string[]>();
        for (const next of steps) {
          if (next.kind === "put") {
            expect(put(store, next.key, next.tags)).toBeGreaterThan(0);
            model.set(next.key, [...new Set(next.tags)]);
          } else if (next.kind === "delete tag") {
            store.deleteTagged(next.tag, next.atOnce);
            for (const [key, tags] of model) if (tags.includes(next.tag)) model.delete(key);
          } else if (next.kind === "sweep") {
            store.sweep(next.count);
          } else if (next.kind === "delete") {
            store.delete(next.key);
            model.delete(next.key);
          } else {
            store.clear();
            model.clear();
          }
          expect(present(store).sort()).toEqual([...model.keys()].sort());
          for (const [key, tags] of model) expect(store.tags(store.find(key))).toEqual(tags);
          if (!store.sweeping) expect(store.items).toBe(model.size);
        }
        store.sweep(Number.POSITIVE_INFINITY);
        expect(store.items).toBe(model.size);
        for (const key of keys) store.delete(key);
        expect(store.bytes).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  it("I3 are charged for their tags, and a tag that many carry once", () => {
    const store = storeOf(2 ** 20);
    const long = "t".repeat(100);
    put(store, "a", []);
    const untagged = store.bytes;
    put(store, "b", [long]);
    const first = store.bytes - untagged;
    put(store, "c", [long]);
    const second = store.bytes - untagged - first;
    expect(first).toBeGreaterThan(second + 100);
    expect(second).toBeGreaterThan(untagged + 16);
    store.deleteTagged(long, 10);
    expect(store.bytes).toBe(untagged);
  });

  it("I3 never exceed the budget, whatever tags they share with entries that they evict", () => {
    const anyTag = fc.oneof(fc.constantFrom("a", "b"), fc.string({ maxLength: 200 }));
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3000 }),
        fc.array(fc.tuple(fc.nat(20), fc.array(anyTag, { maxLength: 6 })), { maxLength: 60 }),
        (maxBytes, puts) => {
          const store = storeOf(maxBytes);
          for (const [key, tags] of puts) {
            put(store, `${key}`, tags);
            expect(store.bytes).toBeLessThanOrEqual(maxBytes);
          }
        },
      ),
    );
  });

  it("are not stored when their tags alone exceed the budget", () => {
    const store = storeOf(1000);
    put(store, "k", ["t"]);
    expect(put(store, "k", ["x".repeat(2000)])).toBe(-1);
    expect(store.items).toBe(0);
    expect(store.bytes).toBe(0);
  });

  it("that are stored during a sweep of their tag stay", () => {
    const store = storeOf(2 ** 20);
    for (const key of keys) put(store, key, ["t"]);
    store.deleteTagged("t", 1);
    expect(store.sweeping).toBe(true);
    expect(present(store)).toEqual([]);
    put(store, "new", ["t"]);
    store.sweep(100);
    expect(store.sweeping).toBe(false);
    expect(present(store, [...keys, "new"])).toEqual(["new"]);
    store.deleteTagged("t", 1);
    expect(store.items).toBe(0);
  });
});
