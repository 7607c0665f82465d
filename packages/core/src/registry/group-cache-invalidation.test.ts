import { describe, expect, it } from "vitest";
import { expectBalance, newGroup, text, waitingGroup } from "../../test/one-group.ts";
import { ParsecError } from "../errors.ts";

describe("invalidate", () => {
  it("acknowledges for this node", async () => {
    const { group } = newGroup({ load: () => "v" });
    expect(await group.invalidate("k")).toEqual({ acknowledged: ["local"], failed: [] });
    expect(group.stats().invalidations).toBe(1);
  });

  it("I2 during a load settles its waiters, does not cache its value, and lets the next caller load again", async () => {
    const { group, loader } = waitingGroup();
    const before = group.get("k");
    await group.invalidate("k");
    const after = group.get("k");
    expect(loader.calls).toHaveLength(2);
    loader.calls[0]?.resolve("old");
    expect(text(await before)).toBe("old");
    expect(group.peek("k")).toBeUndefined();
    loader.calls[1]?.resolve("new");
    expect(text(await after)).toBe("new");
    expect(text(group.peek("k"))).toBe("new");
    expectBalance(group.stats());
  });

  it("I2 keeps the newer value when the older load ends last", async () => {
    const { group, loader } = waitingGroup();
    const before = group.get("k");
    await group.invalidate("k");
    const after = group.get("k");
    loader.calls[1]?.resolve("new");
    expect(text(await after)).toBe("new");
    loader.calls[0]?.resolve("old");
    expect(text(await before)).toBe("old");
    expect(text(await group.get("k"))).toBe("new");
  });

  it("does not affect other keys and their loads", async () => {
    const { group, loader } = waitingGroup();
    const other = group.get("other");
    await group.invalidate("k");
    loader.last.resolve("v");
    await other;
    expect(text(group.peek("other"))).toBe("v");
  });

  it("I4 rejects with ABORTED when the caller's signal has fired, and drops nothing", async () => {
    const { group } = newGroup({ load: () => "v" });
    await group.get("k");
    const signal = AbortSignal.abort();
    await expect(group.invalidate("k", { signal })).rejects.toMatchObject({ code: "ABORTED" });
    expect(text(group.peek("k"))).toBe("v");
  });
});

describe("invalidateTag and invalidateAll", () => {
  const tags = (key: string, value: Uint8Array): string[] => [
    key.charAt(0),
    Buffer.from(value).toString(),
  ];

  it("I2 drop entries with the tag and detach loads that may get it", async () => {
    const { group, loader } = waitingGroup({ tags });
    const waiting = group.getMany(["a1", "a2", "b1"]);
    for (const [index, call] of loader.calls.entries()) call.resolve(index === 1 ? "red" : "blue");
    await waiting;
    const underWay = group.get("a3");
    await group.invalidateTag("red");
    expect(["a1", "a2", "b1"].map((key) => text(group.peek(key)))).toEqual([
      "blue",
      undefined,
      "blue",
    ]);
    loader.last.resolve("blue");
    expect(text(await underWay)).toBe("blue");
    expect(group.peek("a3")).toBeUndefined();
    await group.invalidateTag("b");
    expect(["a1", "b1"].map((key) => text(group.peek(key)))).toEqual(["blue", undefined]);
  });

  it("I2 drop negative entries with any tag", async () => {
    let value: string | undefined;
    const { group } = newGroup({ load: () => value, negativeTtlMs: 1000, tags: () => ["t"] });
    await group.get("k");
    value = "born";
    await group.invalidateTag("t");
    expect(text(await group.get("k"))).toBe("born");
  });

  it("I2 drop everything, loads in flight included", async () => {
    const { group, loader } = waitingGroup();
    const kept = group.get("a");
    loader.last.resolve("A");
    await kept;
    const underWay = group.get("b");
    await group.invalidateAll();
    loader.last.resolve("B");
    await underWay;
    expect([group.peek("a"), group.peek("b")]).toEqual([undefined, undefined]);
    expect(group.stats().main).toMatchObject({ items: 0, bytes: 0 });
  });

  it.each([undefined, 5, ""])("refuse the tag %s", async (tag) => {
    const { group } = newGroup({ load: () => "v" });
    await expect(group.invalidateTag(tag as string)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("no tags");
      },
    ],
    [
      "throws a PEER_UNREACHABLE",
      () => {
        throw new ParsecError("PEER_UNREACHABLE", "of another");
      },
    ],
    ["gives nothing", () => undefined],
    ["gives text", () => "abc"],
    ["gives numbers", () => [42]],
    ["gives holes", () => [undefined]],
  ])("I8 a tags function that %s fails the load and spoils nothing", async (_, misbehave) => {
    const bad = misbehave as () => string[];
    const { group } = newGroup({ load: () => "v", tags: (key) => (key === "bad" ? bad() : [key]) });
    await group.get("good");
    const { bytes } = group.stats().main;
    await expect(group.get("bad")).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
    expect(group.peek("bad")).toBeUndefined();
    expect(group.stats().main).toMatchObject({ bytes, items: 1 });
    expect(group.stats()).toMatchObject({ localLoads: 1, localLoadErrs: 1 });
    expectBalance(group.stats());
  });

  it("keep the tags of each entry when the tags function fills one array again and again", async () => {
    const filled: string[] = [];
    const { group } = newGroup({
      load: () => "v",
      tags: (key) => {
        filled.length = 0;
        filled.push(`tag of ${key}`);
        return filled;
      },
    });
    for (const key of ["a", "b"]) await group.get(key);
    await group.invalidateTag("tag of a");
    expect(["a", "b"].map((key) => text(group.peek(key)))).toEqual([undefined, "v"]);
  });

  it("pass the tags function a copy of the bytes", async () => {
    const { group } = newGroup({
      load: () => "v",
      tags: (_, value) => {
        value.fill(0);
        return [];
      },
    });
    expect(text(await group.get("k"))).toBe("v");
    expect(text(group.peek("k"))).toBe("v");
  });
});
