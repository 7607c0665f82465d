import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { SteppedClock } from "../../test/stepped-clock.ts";
import { type CachePolicy, resolvePolicy } from "../cache-policy.ts";
import { GroupCounters } from "../group-stats.ts";
import { type Decoder, GroupMemory } from "./group-memory.ts";
import { SlicedWork } from "./sliced-work.ts";

interface Data {
  readonly name: string;
  readonly list: number[];
}

const json: Decoder<Data> = {
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString("utf8")) as Data,
  shared: true,
};

const copies: Decoder<Data> = { decode: json.decode, shared: false };

function newMemory(policy: CachePolicy = {}, decoder: Decoder<Data> = json) {
  const clock = new SteppedClock();
  const counters = new GroupCounters();
  const memory = new GroupMemory({
    policy: resolvePolicy(policy),
    clock,
    decoder,
    counters,
    slicedWork: new SlicedWork(clock),
  });
  const store = (
    key: string,
    value: unknown,
    entry: { ttlMs?: number; hot?: boolean; tags?: readonly string[] } = {},
  ): void => {
    memory.store(key, {
      value: value === undefined ? undefined : Buffer.from(JSON.stringify(value)),
      freshUntil: clock.now() + (entry.ttlMs ?? Number.POSITIVE_INFINITY),
      hot: entry.hot ?? false,
      tags: entry.tags ?? [],
    });
  };
  return { memory, clock, counters, store };
}

const alice = { name: "alice", list: [1, 2] };

describe("GroupMemory", () => {
  it("decodes once and returns the same frozen data and promise to every reader", async () => {
    const decode = vi.fn(json.decode);
    const { memory, store } = newMemory({}, { decode, shared: true });
    store("k", alice);
    const first = memory.hit("k");
    expect(memory.hit("k")).toBe(first);
    const data = await first;
    expect(data).toEqual(alice);
    expect(memory.peek("k")).toBe(data);
    expect(() => data?.list.push(3)).toThrow(TypeError);
    expect(decode).toHaveBeenCalledTimes(1);
  });

  it("decodes for each reader when the decoder is not shared", async () => {
    const { memory, store } = newMemory({}, copies);
    store("k", alice);
    const one = await memory.hit("k");
    one?.list.push(3);
    expect(await memory.hit("k")).toEqual(alice);
    expect(memory.peek("k")).toEqual(alice);
  });

  it("decodes data that freezing does not protect for each reader", () => {
    const { memory, store } = newMemory(
      {},
      { decode: () => new Map() as unknown as Data, shared: true },
    );
    store("k", alice);
    expect(memory.peek("k")).not.toBe(memory.peek("k"));
  });

  it("distinguishes a negative entry from a miss", async () => {
    const { memory, store } = newMemory();
    store("none", undefined);
    expect(memory.hit("unknown")).toBeUndefined();
    expect(await memory.hit("none")).toBeUndefined();
    expect(memory.hit("none")).toBeInstanceOf(Promise);
    expect(memory.peek("none")).toBeUndefined();
    expect(memory.hits).toBe(3);
  });

  it("returns nothing from the millisecond of expiry on", async () => {
    const { memory, clock, store } = newMemory();
    store("k", alice, { ttlMs: 100 });
    store("read", alice, { ttlMs: 100 });
    expect(memory.peek("read")).toEqual(alice);
    await clock.advance(99);
    expect(memory.peek("k")).toEqual(alice);
    expect(memory.peek("read")).toEqual(alice);
    await clock.advance(1);
    for (const key of ["k", "read"]) {
      expect(memory.peek(key)).toBeUndefined();
      expect(memory.hit(key)).toBeUndefined();
      expect(memory.copyForPeer(key)).toBeUndefined();
      expect(memory.staleHit(key)).toBeUndefined();
      expect(memory.copyOnError(key)).toBeUndefined();
    }
  });

  it("drops decoded data with their entry: dropped, replaced, cleared or evicted", () => {
    const { memory, store } = newMemory({ maxBytes: 2000 });
    const later = { name: "later", list: [] };
    store("k", alice);
    expect(memory.peek("k")).toEqual(alice);
    store("k", later);
    expect(memory.peek("k")).toEqual(later);
    memory.drop("k");
    expect(memory.peek("k")).toBeUndefined();
    store("k", alice);
    expect(memory.peek("k")).toEqual(alice);
    memory.clear();
    expect(memory.peek("k")).toBeUndefined();
    store("k", alice);
    expect(memory.peek("k")).toEqual(alice);
    for (let index = 0; index < 50; index++) store(`other ${index}`, alice);
    expect(memory.peek("k")).toBeUndefined();
    expect(memory.stats().main.evictions).toBeGreaterThan(0);
  });

  it("counts a hit in the cache that has the entry", () => {
    const { memory, store } = newMemory();
    store("main", alice);
    store("hot", alice, { hot: true });
    for (let read = 0; read < 3; read++) memory.peek("main");
    for (let read = 0; read < 2; read++) void memory.hit("hot");
    memory.copyForPeer("main");
    memory.peek("unknown");
    expect(memory.stats()).toMatchObject({
      main: { hits: 4, items: 1 },
      hot: { hits: 2, items: 1 },
    });
    expect(memory.hits).toBe(6);
  });

  it("I3 charges decoded data, and removes the charge with the entry", () => {
    const { memory, store } = newMemory();
    store("k", alice);
    const undecoded = memory.stats().main.bytes;
    memory.peek("k");
    const decoded = memory.stats().main.bytes;
    expect(decoded).toBeGreaterThan(undecoded + 300);
    memory.peek("k");
    expect(memory.stats().main.bytes).toBe(decoded);
    memory.drop("k");
    expect(memory.stats().main).toMatchObject({ bytes: 0, items: 0 });
  });

  it("I3 decodes at each read when the decoded data exceed the budget", () => {
    const decode = vi.fn(json.decode);
    const { memory, store } = newMemory({ maxBytes: 200 }, { decode, shared: true });
    store("k", alice);
    expect(memory.peek("k")).toEqual(alice);
    expect(memory.peek("k")).toEqual(alice);
    expect(decode).toHaveBeenCalledTimes(2);
    expect(memory.stats().main.bytes).toBeLessThanOrEqual(200);
  });

  it("I3 stays within the budget for any sequence of operations", () => {
    const step = fc.record({
      kind: fc.constantFrom("store", "store", "hit", "peek", "drop", "tag", "copy"),
      key: fc.nat(12).map((index) => `key ${index}`),
      size: fc.nat(400),
      hot: fc.boolean(),
      tags: fc.subarray(["a", "b"]),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 6000 }),
        fc.array(step, { maxLength: 150, size: "max" }),
        (maxBytes, steps) => {
          const { memory, store } = newMemory({ maxBytes });
          for (const { kind, key, size, hot, tags } of steps) {
            if (kind === "store") store(key, { name: "x".repeat(size), list: [] }, { hot, tags });
            else if (kind === "hit") void memory.hit(key);
            else if (kind === "peek") memory.peek(key);
            else if (kind === "drop") memory.drop(key);
            else if (kind === "copy") memory.copyForPeer(key);
            else memory.dropTagged(tags[0] ?? "a");
            const { main, hot: copied } = memory.stats();
            expect(main.bytes + copied.bytes).toBeLessThanOrEqual(maxBytes);
            expect(main.bytes).toBeGreaterThanOrEqual(0);
            expect(copied.bytes).toBeGreaterThanOrEqual(0);
          }
          memory.clear();
          const { main, hot } = memory.stats();
          expect([main.bytes, main.items, hot.bytes, hot.items]).toEqual([0, 0, 0, 0]);
        },
      ),
    );
  });

  describe("a stale value", () => {
    it("is served frozen and decoded once within staleWhileRevalidateMs", async () => {
      const decode = vi.fn(json.decode);
      const policy = { staleWhileRevalidateMs: 50 };
      const { memory, clock, counters, store } = newMemory(policy, { decode, shared: true });
      store("k", alice, { ttlMs: 100 });
      await clock.advance(149);
      const data = await memory.staleHit("k");
      expect(data).toEqual(alice);
      expect(() => data?.list.push(3)).toThrow(TypeError);
      expect(await memory.staleHit("k")).toBe(data);
      expect(decode).toHaveBeenCalledTimes(1);
      expect(counters.staleHits).toBe(2);
      expect(memory.hits).toBe(2);
      await clock.advance(1);
      expect(memory.staleHit("k")).toBeUndefined();
    });

    it("is copied for a peer within staleWhileRevalidateMs, with no time left", async () => {
      const { memory, clock, store } = newMemory({ staleWhileRevalidateMs: 50 });
      store("k", alice, { ttlMs: 100 });
      expect(memory.copyForPeer("k")?.remainingMs).toBe(100);
      await clock.advance(120);
      expect(memory.copyForPeer("k")?.remainingMs).toBe(-20);
    });

    it("is served on an error within staleIfErrorMs", async () => {
      const { memory, clock, counters, store } = newMemory({ staleIfErrorMs: 50 });
      store("k", alice, { ttlMs: 100 });
      await clock.advance(149);
      expect(memory.staleHit("k")).toBeUndefined();
      expect(JSON.parse(String(memory.copyOnError("k")?.value))).toEqual(alice);
      expect(counters.staleHits).toBe(1);
      await clock.advance(1);
      expect(memory.copyOnError("k")).toBeUndefined();
    });

    it("is never a negative entry", async () => {
      const { memory, clock, store } = newMemory({
        staleWhileRevalidateMs: 50,
        staleIfErrorMs: 50,
      });
      store("k", undefined, { ttlMs: 100 });
      await clock.advance(100);
      expect(memory.staleHit("k")).toBeUndefined();
      expect(memory.copyOnError("k")).toBeUndefined();
    });

    it("I7 is never a copy of another node's value", async () => {
      const { memory, clock, store } = newMemory({
        staleWhileRevalidateMs: 50,
        staleIfErrorMs: 50,
      });
      store("k", alice, { ttlMs: 100, hot: true });
      await clock.advance(100);
      expect(memory.staleHit("k")).toBeUndefined();
      expect(memory.copyForPeer("k")).toBeUndefined();
      expect(memory.copyOnError("k")).toBeUndefined();
    });
  });

  it("returns a copy of the bytes for a peer", () => {
    const { memory, store } = newMemory();
    store("k", alice);
    memory.copyForPeer("k")?.value?.fill(0);
    expect(memory.peek("k")).toEqual(alice);
    expect(memory.copyForPeer("k")?.remainingMs).toBe(Number.POSITIVE_INFINITY);
  });

  describe("tags", () => {
    it("drop their entries and no others", () => {
      const { memory, store } = newMemory();
      store("both", alice, { tags: ["a", "b"] });
      store("a", alice, { tags: ["a"] });
      store("b", alice, { tags: ["b"] });
      store("plain", alice);
      memory.dropTagged("a");
      const left = ["both", "a", "b", "plain"].filter((key) => memory.peek(key) !== undefined);
      expect(left).toEqual(["b", "plain"]);
    });

    it("are those of the present value", () => {
      const { memory, store } = newMemory();
      store("k", alice, { tags: ["old"] });
      store("k", alice, { tags: ["new"] });
      memory.dropTagged("old");
      expect(memory.peek("k")).toEqual(alice);
      memory.dropTagged("new");
      expect(memory.peek("k")).toBeUndefined();
    });

    it("drop decoded entries as well", () => {
      const { memory, store } = newMemory();
      store("k", alice, { tags: ["a"] });
      memory.peek("k");
      memory.dropTagged("a");
      expect(memory.peek("k")).toBeUndefined();
      expect(memory.stats().main).toMatchObject({ bytes: 0, items: 0 });
    });

    it("exclude an entry from memory that has no room for them", () => {
      const { memory, store } = newMemory({ maxBytes: 400 });
      store("k", alice, { tags: ["a".repeat(1000)] });
      expect(memory.peek("k")).toBeUndefined();
      expect(memory.stats().main).toMatchObject({ bytes: 0, items: 0 });
    });
  });

  describe("a codec that misbehaves", () => {
    it("I8 rejects readers with its error and keeps the entry", async () => {
      let broken = true;
      const decode = (bytes: Uint8Array): Data => {
        if (broken) throw new Error("cannot read this");
        return json.decode(bytes);
      };
      const { memory, store } = newMemory({}, { decode, shared: true });
      store("k", alice);
      await expect(memory.hit("k")).rejects.toThrow("cannot read this");
      expect(() => memory.peek("k")).toThrow("cannot read this");
      broken = false;
      expect(await memory.hit("k")).toEqual(alice);
    });

    it("I8 may clear the memory while it decodes: its reader gets the data, and the memory stays consistent", async () => {
      const emptying: Decoder<Data> = {
        decode: (bytes) => {
          const data = json.decode(bytes);
          broken.memory.clear();
          return data;
        },
        shared: true,
      };
      const broken = newMemory({}, emptying);
      for (const key of ["a", "b", "c"]) broken.store(key, alice);
      expect(await broken.memory.hit("b")).toEqual(alice);
      expect(broken.memory.stats().main).toMatchObject({ items: 0, bytes: 0 });
      broken.store("d", alice);
      expect(broken.memory.peek("d")).toEqual(alice);
      for (const key of ["a", "b", "c", "d"]) expect(broken.memory.hit(key)).toBeUndefined();
      broken.memory.clear();
      expect(broken.memory.stats().main).toMatchObject({ items: 0, bytes: 0 });
    });
  });

  it("copies fresh entries for transfer with tags and expiry, without counting a use", async () => {
    const { memory, clock, store } = newMemory();
    store("own", alice, { ttlMs: 100, tags: ["t"] });
    store("copy", alice, { hot: true });
    store("none", undefined, { ttlMs: 100 });
    const value = Buffer.from(JSON.stringify(alice));
    const freshUntil = clock.now() + 100;
    expect(memory.copyForTransfer("own")).toEqual({ value, freshUntil, tags: ["t"] });
    expect(memory.copyForTransfer("copy")).toMatchObject({
      value,
      freshUntil: Number.POSITIVE_INFINITY,
    });
    expect(memory.copyForTransfer("none")).toEqual({ value: undefined, freshUntil, tags: [] });
    expect(memory.copyForTransfer("unknown")).toBeUndefined();
    expect([memory.has("own"), memory.has("unknown")]).toEqual([true, false]);
    await clock.advance(100);
    expect(memory.copyForTransfer("own")).toBeUndefined();
    expect(memory.has("own")).toBe(false);
    expect(memory.hits).toBe(0);
  });

  it("lists its own keys, most recently used first", () => {
    const { memory, store } = newMemory();
    for (const key of ["a", "b", "c"]) store(key, alice);
    store("copy", alice, { hot: true });
    memory.peek("a");
    memory.copyForTransfer("b");
    expect(memory.ownedKeys()).toEqual(["a", "c", "b"]);
    memory.clear();
    expect(memory.ownedKeys()).toEqual([]);
  });
});
