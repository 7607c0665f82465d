import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SeededHash } from "../seeded-hash.ts";
import { ByteStore, entryOverheadBytes } from "./byte-store.ts";

interface ModelEntry {
  readonly value: Uint8Array | undefined;
  readonly freshUntil: number;
  watched: boolean;
  charge: number;
}

/** A model of the store: two Maps whose order is the order of use. */
class ModelStore {
  readonly #maxBytes: number;
  readonly main: Map<string, ModelEntry> = new Map();
  readonly hot: Map<string, ModelEntry> = new Map();
  readonly reported: string[] = [];
  readonly evictions: { main: number; hot: number } = { main: 0, hot: 0 };

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  static bytes(list: Map<string, ModelEntry>): number {
    let bytes = 0;
    for (const entry of list.values()) bytes += entry.charge;
    return bytes;
  }

  get bytes(): number {
    return ModelStore.bytes(this.main) + ModelStore.bytes(this.hot);
  }

  get contents(): string {
    const found: string[] = [];
    for (const key of keys) {
      const entry = this.find(key);
      if (entry !== undefined) found.push(entryText(key, { ...entry, hot: this.hot.has(key) }));
    }
    return found.join("\n");
  }

  find(key: string): ModelEntry | undefined {
    return this.main.get(key) ?? this.hot.get(key);
  }

  touch(key: string): void {
    const list = this.main.has(key) ? this.main : this.hot;
    const entry = list.get(key) as ModelEntry;
    list.delete(key);
    list.set(key, entry);
  }

  put(key: string, entry: ModelEntry, hot: boolean): boolean {
    this.delete(key);
    if (entry.charge > this.#maxBytes) return false;
    while (this.bytes + entry.charge > this.#maxBytes) this.#evict(undefined);
    (hot ? this.hot : this.main).set(key, entry);
    return true;
  }

  watch(key: string, extraBytes: number): boolean {
    const entry = this.find(key) as ModelEntry;
    if (entry.charge + extraBytes > this.#maxBytes) return false;
    entry.charge += extraBytes;
    entry.watched = true;
    while (this.bytes > this.#maxBytes) this.#evict(key);
    return true;
  }

  delete(key: string): void {
    const entry = this.find(key);
    if (entry?.watched) this.reported.push(key);
    this.main.delete(key);
    this.hot.delete(key);
  }

  clear(): void {
    this.main.clear();
    this.hot.clear();
    this.reported.length = 0;
  }

  #evict(spared: string | undefined): void {
    const hotFirst = ModelStore.bytes(this.hot) > ModelStore.bytes(this.main) / 8;
    for (const name of hotFirst ? (["hot", "main"] as const) : (["main", "hot"] as const)) {
      const victim = [...this[name].keys()].find((key) => key !== spared);
      if (victim === undefined) continue;
      this.evictions[name]++;
      this.delete(victim);
      return;
    }
    throw new Error("the model found nothing to evict");
  }
}

const keys = [
  "",
  "a",
  "user:1",
  "é",
  "ÿÿ",
  "日本",
  "日",
  "e\u0301",
  "\ud83d\ude00",
  "\ud83d",
  "\udcff\udcfe",
  "x".repeat(300),
  "日".repeat(150),
  ...Array.from({ length: 20 }, (_, index) => `key ${index}`),
];

/** An entry as text, for comparing all entries at once. */
function entryText(
  key: string,
  entry: { hot: boolean; freshUntil: number; value: Uint8Array | undefined },
): string {
  const value = entry.value === undefined ? "none" : Buffer.from(entry.value).toString("base64");
  return `${JSON.stringify(key)} ${entry.hot} ${entry.freshUntil} ${value}`;
}

function contentsOf(store: ByteStore): string {
  const found: string[] = [];
  for (const key of keys) {
    const slot = store.find(key);
    if (slot < 0) continue;
    const entry = {
      hot: store.isHot(slot),
      freshUntil: store.freshUntil(slot),
      value: store.value(slot),
    };
    found.push(entryText(store.key(slot), entry));
  }
  return found.join("\n");
}

function recordBytes(key: string, value: Uint8Array | undefined): number {
  const wide = [...key].some((character) => (character.codePointAt(0) as number) > 0xff);
  return key.length * (wide ? 2 : 1) + (value?.length ?? 0);
}

const anyStep = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant("put" as const),
      key: fc.constantFrom(...keys),
      // Lengths around the block sizes, and some that exceed the budget alone.
      value: fc.option(
        fc.oneof(
          { weight: 8, arbitrary: fc.uint8Array({ maxLength: 100 }) },
          { weight: 1, arbitrary: fc.uint8Array({ minLength: 0, maxLength: 5000 }) },
        ),
        { nil: undefined, freq: 8 },
      ),
      hot: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
      freshUntil: fc.oneof(fc.double({ noNaN: true }), fc.constant(Number.POSITIVE_INFINITY)),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom("touch" as const, "delete" as const),
      key: fc.constantFrom(...keys),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("watch" as const),
      key: fc.constantFrom(...keys),
      extraBytes: fc.nat(900),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("clear" as const) }) },
);

function storeOf(maxBytes: number): { store: ByteStore; reported: string[] } {
  const reported: string[] = [];
  return { store: new ByteStore({ maxBytes, onRemove: (key) => reported.push(key) }), reported };
}

/** The charge of an entry in any store. */
function entryCharge(recordBytes: number): number {
  return storeOf(2 ** 20).store.chargeOf(recordBytes);
}

function put(store: ByteStore, key: string, value: Uint8Array | undefined, hot = false): number {
  return store.put(key, value, { freshUntil: 1, hot, tags: [] });
}

describe("ByteStore", () => {
  it("I3 contains the same entries as two plain LRU lists with one budget, after every step", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5000 }),
        fc.array(anyStep, { maxLength: 120, size: "max" }),
        (maxBytes, steps) => {
          const { store, reported } = storeOf(maxBytes);
          const model = new ModelStore(maxBytes);
          for (const step of steps) {
            if (step.kind === "put") {
              const { key, value, hot, freshUntil } = step;
              const charge = entryCharge(recordBytes(key, value));
              const kept = model.put(key, { value, freshUntil, watched: false, charge }, hot);
              expect(store.put(key, value, { freshUntil, hot, tags: [] }) >= 0).toBe(kept);
            } else if (step.kind === "clear") {
              store.clear();
              model.clear();
              reported.length = 0;
            } else {
              const slot = store.find(step.key);
              expect(slot >= 0).toBe(model.find(step.key) !== undefined);
              if (slot >= 0) {
                if (step.kind === "touch") {
                  store.touch(slot);
                  model.touch(step.key);
                } else if (step.kind === "watch") {
                  const fits = store.watch(slot, step.extraBytes);
                  expect(fits).toBe(model.watch(step.key, step.extraBytes));
                } else {
                  expect(store.delete(step.key)).toBe(true);
                  model.delete(step.key);
                }
              }
            }
            expect(store.main.bytes).toBe(ModelStore.bytes(model.main));
            expect(store.hot.bytes).toBe(ModelStore.bytes(model.hot));
            expect(store.bytes).toBeLessThanOrEqual(maxBytes);
            expect(store.main.items).toBe(model.main.size);
            expect(store.hot.items).toBe(model.hot.size);
            expect(store.main.evictions).toBe(model.evictions.main);
            expect(store.hot.evictions).toBe(model.evictions.hot);
            expect(reported).toEqual(model.reported);
            expect(contentsOf(store)).toBe(model.contents);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it("I3 charges the block that key and value take, and the overhead", () => {
    const { store } = storeOf(10_000);
    put(store, "k", Buffer.alloc(20));
    expect(store.bytes).toBe(32 + entryOverheadBytes);
    put(store, "日", Buffer.alloc(27));
    expect(store.bytes).toBe(32 + 48 + 2 * entryOverheadBytes);
  });

  it("I3 counts a replaced key once", () => {
    const { store } = storeOf(10_000);
    for (let round = 0; round < 100; round++) put(store, "k", Buffer.alloc(100 + round));
    expect(store.items).toBe(1);
    expect(store.bytes).toBe(entryCharge(1 + 199));
    put(store, "k", Buffer.alloc(5), true);
    expect(store.main).toMatchObject({ items: 0, bytes: 0, evictions: 0 });
    expect(store.hot).toMatchObject({ items: 1, bytes: entryCharge(6) });
  });

  it("I3 accepts an entry that fills the budget exactly, and rejects one that is larger by a block", () => {
    const { store } = storeOf(entryCharge(252));
    expect(put(store, "k", Buffer.alloc(251))).toBeGreaterThanOrEqual(0);
    expect(store.bytes).toBe(entryCharge(252));
    expect(put(store, "other", Buffer.alloc(251))).toBe(-1);
    expect(store.find("k")).toBeGreaterThanOrEqual(0);
    expect(store.find("other")).toBe(-1);
  });

  it("drops only the key itself when its new value is larger than the budget", () => {
    const { store } = storeOf(2000);
    put(store, "a", Buffer.alloc(50));
    put(store, "b", Buffer.alloc(50));
    expect(put(store, "b", Buffer.alloc(5000))).toBe(-1);
    expect(store.find("b")).toBe(-1);
    expect(store.find("a")).toBeGreaterThanOrEqual(0);
    expect(store.bytes).toBe(entryCharge(51));
    expect(store.main.evictions).toBe(0);
  });

  it("evicts from the hot list once it exceeds an eighth of the main one, else from the main list", () => {
    const charge = entryCharge(101);
    const { store } = storeOf(20 * charge);
    for (let index = 0; index < 18; index++)
      put(store, String.fromCharCode(97 + index), Buffer.alloc(100));
    put(store, "y", Buffer.alloc(100), true);
    put(store, "z", Buffer.alloc(100), true);
    // 2 hot entries for 18 main ones are within the eighth: the oldest main entry goes.
    put(store, "A", Buffer.alloc(100), true);
    expect(store.main.evictions).toBe(1);
    expect(store.find("a")).toBe(-1);
    // 3 for 17 are not: the oldest hot entry goes.
    put(store, "B", Buffer.alloc(100));
    expect(store.hot.evictions).toBe(1);
    expect(store.find("y")).toBe(-1);
    expect(store.find("b")).toBeGreaterThanOrEqual(0);
  });

  it("distinguishes keys with the same hash", () => {
    const [one, other] = ["user:162789", "user:379192"];
    const hash = new SeededHash(new Int32Array(1024));
    expect(hash.of(one)).toBe(hash.of(other));
    const store = new ByteStore({ maxBytes: 10_000, onRemove: () => {}, hash });
    put(store, one, Buffer.from("1"));
    expect(store.find(other)).toBe(-1);
    put(store, other, Buffer.from("2"));
    expect(store.value(store.find(one))?.toString()).toBe("1");
    expect(store.value(store.find(other))?.toString()).toBe("2");
    store.delete(one);
    expect(store.find(one)).toBe(-1);
    expect(store.value(store.find(other))?.toString()).toBe("2");
  });

  it("distinguishes an empty value from a negative entry", () => {
    const { store } = storeOf(1000);
    const empty = put(store, "empty", new Uint8Array());
    const negative = put(store, "negative", undefined);
    expect(store.value(empty)?.length).toBe(0);
    expect(store.value(negative)).toBeUndefined();
  });

  it("stores a copy, which later changes of the given bytes do not affect", () => {
    const { store } = storeOf(1000);
    const given = Buffer.from("before");
    const slot = put(store, "k", given);
    given.fill("x");
    expect(store.value(slot)?.toString()).toBe("before");
  });

  it("finds every key of thousands while it grows, shrinks and grows again", () => {
    const { store } = storeOf(2 ** 24);
    const textOf = (index: number): string => `value of ${index}`.repeat((index % 7) + 1);
    const keyOf = (index: number): string =>
      index % 3 === 0 ? `schlüssel:${index}` : `鍵:${index}`;
    const count = 20_000;
    for (let index = 0; index < count; index++)
      put(store, keyOf(index), Buffer.from(textOf(index)));
    for (let index = 0; index < count; index += 2) expect(store.delete(keyOf(index))).toBe(true);
    expect(store.items).toBe(count / 2);
    for (let index = 0; index < count; index += 4) put(store, keyOf(index), Buffer.from("again"));
    for (let index = 0; index < count; index++) {
      const slot = store.find(keyOf(index));
      if (index % 2 === 0 && index % 4 !== 0) expect(slot).toBe(-1);
      else {
        const value = store.value(slot)?.toString();
        expect(value).toBe(index % 4 === 0 ? "again" : textOf(index));
      }
    }
    store.clear();
    expect(store.bytes).toBe(0);
    expect(store.items).toBe(0);
    expect(store.find(keyOf(1))).toBe(-1);
    expect(store.main.evictions).toBe(0);
    put(store, "k", Buffer.from("v"));
    expect(store.value(store.find("k"))?.toString()).toBe("v");
  });

  it("reports a watched entry once, whether deleted, replaced or evicted", () => {
    const { store, reported } = storeOf(3 * entryCharge(101));
    const watched = (key: string): void => {
      expect(store.watch(put(store, key, Buffer.alloc(100)), 0)).toBe(true);
    };
    watched("replaced");
    put(store, "replaced", Buffer.alloc(100));
    watched("deleted");
    store.delete("deleted");
    store.delete("deleted");
    watched("evicted");
    for (const key of ["a", "b", "c"]) put(store, key, Buffer.alloc(100));
    watched("cleared");
    store.clear();
    expect(reported).toEqual(["replaced", "deleted", "evicted"]);
    expect(store.memoryBytes).toBeLessThan(16 * 1024);
  });

  it("I3 changes nothing when the extra bytes of an entry exceed the budget", () => {
    const { store, reported } = storeOf(1000);
    const other = put(store, "other", Buffer.alloc(10));
    const slot = put(store, "k", Buffer.alloc(10));
    const before = store.bytes;
    expect(store.watch(slot, 1000)).toBe(false);
    expect(store.bytes).toBe(before);
    store.delete("k");
    expect(reported).toEqual([]);
    expect(store.find("other")).toBe(other);
  });
  it("I3 refuses to charge an entry more than its counter can hold", () => {
    const { store } = storeOf(2 ** 34);
    const slot = put(store, "k", Buffer.alloc(10));
    expect(store.watch(slot, 2 ** 31)).toBe(false);
    expect(store.watch(slot, 2 ** 31 - 1 - store.bytes)).toBe(true);
    expect(store.bytes).toBe(2 ** 31 - 1);
    store.delete("k");
    expect(store.bytes).toBe(0);
  });

  it("stores and finds keys and values that take several blocks", () => {
    const { store } = storeOf(2 ** 20);
    const filled = (size: number): Buffer =>
      Buffer.from(Array.from({ length: size }, (_, i) => i % 253));
    const keyOf = (size: number): string =>
      `${size}:`.padEnd(size % 1500, "k") + (size % 2 ? "日" : "");
    const sizes = [0, 500, 507, 508, 509, 1016, 1017, 5000, 65_536, 200_000];
    for (const size of sizes) expect(put(store, keyOf(size), filled(size))).toBeGreaterThan(0);
    for (const size of sizes) {
      const slot = store.find(keyOf(size));
      expect(store.key(slot)).toBe(keyOf(size));
      expect(store.value(slot)?.equals(filled(size))).toBe(true);
      expect(store.copy(slot)?.equals(filled(size))).toBe(true);
    }
    for (const size of sizes) store.delete(keyOf(size));
    expect(store.bytes).toBe(0);
  });

  it("I3 keeps its memory within a tenth of the budget when sizes drift and some entries stay", () => {
    const maxBytes = 2 ** 20;
    const { store } = storeOf(maxBytes);
    const popular: string[] = [];
    for (let round = 0; round < 20; round++) {
      const size = 20 + ((round * 777) % 3000);
      for (let count = 0; count * (size + 100) < maxBytes; count++) {
        const key = `${round}:${count}`;
        put(store, key, Buffer.alloc(size, round));
        if (count % 20 === 0) popular.push(key);
        if (count % 1000 === 0) {
          expect(store.memoryBytes).toBeLessThanOrEqual(1.1 * maxBytes + 64 * 1024);
          for (const kept of popular) {
            const slot = store.find(kept);
            if (slot >= 0) store.touch(slot);
          }
        }
      }
    }
    for (const key of popular) {
      const slot = store.find(key);
      if (slot < 0) continue;
      const round = Number(key.split(":")[0]);
      expect(store.value(slot)?.every((byte) => byte === round)).toBe(true);
    }
    // The budget is used, too.
    expect(store.bytes).toBeGreaterThan(0.7 * maxBytes);
  });

  it("I3 gives pages back when the tables of many small entries take their place", () => {
    const maxBytes = 2 ** 20;
    const { store } = storeOf(maxBytes);
    for (let count = 0; count < 400; count++) put(store, `large ${count}`, Buffer.alloc(3000));
    for (let count = 0; count < 20_000; count++) {
      put(store, `${count}`, Buffer.alloc(1));
      if (count % 100 === 0) {
        expect(store.memoryBytes).toBeLessThanOrEqual(1.1 * maxBytes + 64 * 1024);
      }
    }
    expect(store.items).toBeGreaterThan(0.9 * (maxBytes / store.chargeOf(6)));
  });

  it("I3 keeps its memory within the limit for any sizes, tags and extra bytes", () => {
    const step = fc.record({
      key: fc.nat(300),
      size: fc.oneof(fc.nat(100), fc.nat(3000), fc.nat(60_000)),
      tags: fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 3 }),
      extraBytes: fc.option(fc.nat(5000), { nil: undefined }),
      hot: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 300_000 }),
        fc.array(step, { maxLength: 400, size: "max" }),
        (maxBytes, steps) => {
          const { store } = storeOf(maxBytes);
          for (const { key, size, tags, extraBytes, hot } of steps) {
            const options = { freshUntil: 1, hot, tags: tags.map((tag) => `tag ${tag}`) };
            const slot = store.put(`${key}`, Buffer.alloc(size, key % 256), options);
            if (slot >= 0 && extraBytes !== undefined) store.watch(slot, extraBytes);
            expect(store.bytes).toBeLessThanOrEqual(maxBytes);
            expect(store.memoryBytes).toBeLessThanOrEqual(1.1 * maxBytes + 64 * 1024);
          }
          for (let key = 0; key < 300; key++) {
            const slot = store.find(`${key}`);
            if (slot >= 0)
              expect(store.value(slot)?.every((byte) => byte === key % 256)).toBe(true);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("gives the memory of pages back that watched entries need", () => {
    const maxBytes = 2 ** 20;
    const { store } = storeOf(maxBytes);
    for (let count = 0; count < 4000; count++) put(store, `${count}`, Buffer.alloc(150));
    for (let count = 3900; count < 4000; count++) store.watch(store.find(`${count}`), 7000);
    expect(store.memoryBytes).toBeLessThanOrEqual(1.1 * maxBytes + 64 * 1024);
  });

  it("takes watched bytes back from the entries that were used least recently, and keeps the entries", () => {
    const { store, reported } = storeOf(2 ** 20);
    for (const key of ["a", "b", "c", "d"]) {
      const slot = put(store, key, Buffer.alloc(10));
      if (key !== "b") store.watch(slot, 1000);
    }
    const before = store.bytes;
    store.unwatchOldest(1500);
    expect(reported).toEqual(["a", "c"]);
    expect(store.bytes).toBe(before - 2000);
    expect(store.items).toBe(4);
    store.delete("d");
    store.unwatchOldest(1);
    expect(reported).toEqual(["a", "c", "d"]);
  });
});
