import { describe, expect, it, vi } from "vitest";
import { expectBalance, newGroup, text, waitingGroup } from "../../test/one-group.ts";
import { SteppedClock, settled } from "../../test/stepped-clock.ts";
import { WaitingLoader } from "../../test/waiting-loader.ts";
import { createGroupCache, type GroupLoader, type GroupOptions } from "./group-cache.ts";

describe("createGroupCache", () => {
  it("lists its groups and counts per group", async () => {
    const cache = createGroupCache();
    const a = cache.group("a", { load: () => "v" });
    cache.group("b", { load: () => "v" });
    await a.get("k");
    expect(cache.names()).toEqual(["a", "b"]);
    expect(a.name).toBe("a");
    expect(cache.stats()).toMatchObject({ a: { gets: 1 }, b: { gets: 0 } });
    await cache.close();
  });

  it("keeps groups and caches apart", async () => {
    const [one, other] = [createGroupCache(), createGroupCache()];
    const groups = [
      one.group("g", { load: () => "1" }),
      one.group("h", { load: () => "2" }),
      other.group("g", { load: () => "3" }),
    ];
    const values = await Promise.all(groups.map((group) => group.get("k")));
    expect(values.map(text)).toEqual(["1", "2", "3"]);
    await one.close();
    expect(text(groups[2]?.peek("k"))).toBe("3");
    await other.close();
  });

  it("rejects a second group of the same name and names it", () => {
    const cache = createGroupCache();
    cache.group("users", { load: () => "v" });
    expect(() => cache.group("users", { load: () => "v" })).toThrow(
      expect.objectContaining({
        code: "DUPLICATE_NAME",
        message: expect.stringContaining('"users"'),
      }),
    );
    expect(cache.names()).toEqual(["users"]);
  });

  it.each(["", "x".repeat(256), "日".repeat(86), undefined, 5])("refuses the name %j", (name) => {
    expect(() => createGroupCache().group(name as string, { load: () => "v" })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });

  it.each<[unknown, RegExp]>([
    [undefined, /^options must be an object/],
    [{}, /^load must be a function, got undefined/],
    [{ load: "SELECT 1" }, /^load must be a function/],
    [{ load: () => "v", tags: ["a"] }, /^tags must be a function, got an array/],
    [{ load: () => "v", maxBytes: -1 }, /^maxBytes must be a number/],
    [{ load: () => "v", hot: 5 }, /^hot must be/],
  ])("refuses the options %j, and the name stays free", (options, message) => {
    const cache = createGroupCache();
    expect(() => cache.group("g", options as GroupOptions)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringMatching(message),
      }),
    );
    expect(cache.names()).toEqual([]);
    cache.group("g", { load: () => "v" });
  });

  it("names the missing option when updatePeers is called without peers", () => {
    expect(() => createGroupCache().updatePeers(["http://a:1"])).toThrow(
      /^peers must be set to update them/,
    );
  });
});

describe("get", () => {
  it("I1 loads once for all callers and then answers from memory", async () => {
    const load = vi.fn((key: string) => Promise.resolve(`value of ${key}`));
    const { group } = newGroup({ load });
    const values = await Promise.all(Array.from({ length: 100 }, () => group.get("k")));
    expect(load).toHaveBeenCalledTimes(1);
    for (const value of values) expect(text(value)).toBe("value of k");
    expect(group.stats()).toMatchObject({ gets: 100, loads: 100, loadsDeduped: 1, cacheHits: 0 });
    await group.get("k");
    expect(group.stats()).toMatchObject({ gets: 101, cacheHits: 1 });
    await group.invalidate("k");
    expect(group.peek("k")).toBeUndefined();
    expectBalance(group.stats());
  });

  it.each<[string, unknown, string | undefined]>([
    ["text", "héllo", "héllo"],
    ["empty text", "", ""],
    ["a Buffer", Buffer.from("bytes"), "bytes"],
    ["bytes", Uint8Array.of(104, 105), "hi"],
    ["nothing", undefined, undefined],
  ])("takes %s from the loader, at once or by a promise", async (_, given, expected) => {
    for (const load of [() => given, () => Promise.resolve(given)] as GroupLoader[]) {
      expect(text(await newGroup({ load }).group.get("k"))).toBe(expected);
    }
  });

  it("does not mix up keys with any characters", async () => {
    const { group } = newGroup({ load: (key) => `<${key}>` });
    const keys = [
      "a",
      "A",
      "a ",
      "é",
      "e\u0301",
      "日本",
      "a/b",
      "a%2Fb",
      "a+b",
      "\0",
      "\udcff",
      "\u{1f600}",
    ];
    for (const round of ["load", "hit"]) {
      const values = await group.getMany(keys);
      expect(values.map(text), round).toEqual(keys.map((key) => text(Buffer.from(`<${key}>`))));
    }
    expect(group.stats().cacheHits).toBe(keys.length);
  });

  it("refuses a key that has the bytes of another: callers with different keys never share an entry", async () => {
    const load = vi.fn((key: string) => key);
    const { group } = newGroup({ load });
    expect(text(await group.get("é"))).toBe("é");
    for (const key of ["\udcc3\udca9", "\ud83d", "a\udc7f"]) {
      await expect(group.get(key)).rejects.toMatchObject({ code: "INVALID_KEY" });
      await expect(group.invalidate(key)).rejects.toMatchObject({ code: "INVALID_KEY" });
      expect(group.peek(key)).toBeUndefined();
    }
    expect(text(group.peek("é"))).toBe("é");
    expect(load).toHaveBeenCalledTimes(1);
  });

  it.each([undefined, null, 5, {}, [], Symbol("k")])("refuses the key %s", async (key) => {
    const { group } = newGroup({ load: () => "v" });
    await expect(group.get(key as string)).rejects.toMatchObject({ code: "INVALID_KEY" });
    await expect(group.invalidate(key as string)).rejects.toMatchObject({ code: "INVALID_KEY" });
    expect(group.peek(key as string)).toBeUndefined();
    expect(group.stats()).toMatchObject({ gets: 0, invalidations: 0 });
  });

  it("loads the empty key on each call and caches nothing", async () => {
    let calls = 0;
    const { group } = newGroup({ load: () => `call ${++calls}` });
    const values = await Promise.all([group.get(""), group.get(""), group.get("")]);
    expect(values.map(text)).toEqual(["call 1", "call 2", "call 3"]);
    expect(group.peek("")).toBeUndefined();
    expect(group.stats()).toMatchObject({ loadsDeduped: 3, main: { items: 0 } });
    expectBalance(group.stats());
  });
});

describe("the bytes a caller gets", () => {
  it("are a copy: changing them affects neither other callers nor the cache", async () => {
    const { group } = newGroup({ load: () => "value" });
    const together = await Promise.all([group.get("k"), group.get("k")]);
    together[0]?.fill(0);
    expect(text(together[1])).toBe("value");
    const hit = await group.get("k");
    hit?.fill(0);
    group.peek("k")?.fill(0);
    expect(text(await group.get("k"))).toBe("value");
    expect(text(group.peek("k"))).toBe("value");
  });

  it("do not change when the loader reuses its buffer", async () => {
    const scratch = Buffer.from("value");
    const { group } = newGroup({ load: () => scratch });
    await group.get("k");
    scratch.fill("x");
    expect(text(await group.get("k"))).toBe("value");
  });
});

describe("getMany", () => {
  it("returns values in the order of the keys, with hits, loads and duplicates", async () => {
    const { group, loader } = waitingGroup();
    const warm = group.get("b");
    loader.last.resolve("B");
    await warm;
    const many = group.getMany(["c", "b", "a", "c"]);
    expect(loader.calls.map(({ input }) => input)).toEqual(["b", "c", "a"]);
    loader.calls[2]?.resolve("A");
    await settled();
    loader.calls[1]?.resolve("C");
    expect((await many).map(text)).toEqual(["C", "B", "A", "C"]);
    expectBalance(group.stats());
  });

  it("returns an empty array for no keys", async () => {
    const { group } = newGroup({ load: () => "v" });
    expect(await group.getMany([])).toEqual([]);
  });

  it("rejects with the first failure while the other loads continue", async () => {
    const { group } = newGroup({
      load: (key) => (key.startsWith("bad") ? Promise.reject(new Error(key)) : "v"),
    });
    await expect(group.getMany(["a", "bad 1", "bad 2", "b"])).rejects.toMatchObject({
      code: "ORIGIN_FAILED",
      message: "g: bad 1",
    });
    await settled();
    expect(text(group.peek("a"))).toBe("v");
    expect(text(group.peek("b"))).toBe("v");
    expectBalance(group.stats());
  });

  it("I4 can be aborted as a whole", async () => {
    const { group, loader } = waitingGroup();
    const leaver = new AbortController();
    const many = group.getMany(["a", "b"], { signal: leaver.signal });
    leaver.abort();
    await expect(many).rejects.toMatchObject({ code: "ABORTED" });
    for (const call of loader.calls) expect(call.signal.aborted).toBe(true);
  });
});

describe("closing", () => {
  it("I8 rejects pending and later calls with CLOSED and fires the signals of loads", async () => {
    const loader = new WaitingLoader<string, string>();
    const clock = new SteppedClock();
    const cache = createGroupCache({ clock });
    const group = cache.group("g", { load: loader.load });
    const waiting = Promise.allSettled([
      group.get("a"),
      group.get("a"),
      group.get("b"),
      group.get(""),
    ]);
    const detached = group.get("c").catch((error: unknown) => error);
    await group.invalidate("c");
    await cache.close();
    for (const result of await waiting)
      expect(result).toMatchObject({ reason: { code: "CLOSED" } });
    expect(await detached).toMatchObject({ code: "CLOSED" });
    for (const call of loader.calls) expect(call.signal.aborted).toBe(true);
    for (const call of loader.calls) call.resolve("late");
    await settled();
    expect(group.peek("a")).toBeUndefined();
    expect(clock.pendingCount).toBe(0);
    expectBalance(group.stats());
    await expect(group.get("a")).rejects.toMatchObject({ code: "CLOSED" });
    await expect(group.getMany(["a", "b"])).rejects.toMatchObject({ code: "CLOSED" });
    await expect(group.invalidate("a")).rejects.toMatchObject({ code: "CLOSED" });
    expect(() => cache.group("other", { load: () => "v" })).toThrow(
      expect.objectContaining({ code: "CLOSED" }),
    );
    expect(loader.calls).toHaveLength(4);
  });

  it("clears the memory, and can be repeated", async () => {
    const cache = createGroupCache();
    const group = cache.group("g", { load: () => "v" });
    await group.get("k");
    await Promise.all([cache.close(), cache.close()]);
    await cache.close();
    expect(group.peek("k")).toBeUndefined();
    expect(group.stats().main).toMatchObject({ items: 0, bytes: 0 });
    await expect(group.get("k")).rejects.toMatchObject({ code: "CLOSED" });
  });
});
