import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { expectBalance, newGroup, text, waitingGroup } from "../../test/one-group.ts";
import { settled } from "../../test/stepped-clock.ts";

describe("ttlMs", () => {
  it("is how long a value is served from memory, without limit by default", async () => {
    let calls = 0;
    const load = (): string => `${++calls}`;
    const limited = newGroup({ load, ttlMs: 1000, ttlJitter: 0 });
    await limited.group.get("k");
    await limited.clock.advance(999);
    expect(text(await limited.group.get("k"))).toBe("1");
    await limited.clock.advance(1);
    expect(limited.group.peek("k")).toBeUndefined();
    expect(text(await limited.group.get("k"))).toBe("2");
    const unlimited = newGroup({ load });
    await unlimited.group.get("k");
    await unlimited.clock.advance(1e12);
    expect(text(unlimited.group.peek("k"))).toBe("3");
  });

  it("of 0 caches nothing but still shares loads", async () => {
    const load = vi.fn(() => Promise.resolve("v"));
    const { group } = newGroup({ load, ttlMs: 0 });
    await Promise.all([group.get("k"), group.get("k")]);
    expect(load).toHaveBeenCalledTimes(1);
    expect(group.peek("k")).toBeUndefined();
  });

  it("is shortened by at most the jitter and never extended", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (random, ttlJitter) => {
          const { group, clock } = newGroup(
            { load: () => "v", ttlMs: 1000, ttlJitter },
            () => random,
          );
          await group.get("k");
          const expected = 1000 * (1 - ttlJitter * random);
          await clock.advance(expected - 0.001);
          if (expected > 0.01) expect(group.peek("k")).toBeDefined();
          await clock.advance(0.002);
          expect(group.peek("k")).toBeUndefined();
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("staleWhileRevalidateMs", () => {
  const policy = { ttlMs: 100, ttlJitter: 0, staleWhileRevalidateMs: 50 };

  it("serves the stale value while one refresh runs", async () => {
    const { group, clock, loader } = waitingGroup(policy);
    const first = group.get("k");
    loader.last.resolve("old");
    await first;
    await clock.advance(100);
    const stale = await Promise.all(Array.from({ length: 10 }, () => group.get("k")));
    expect(stale.map(text)).toEqual(Array.from({ length: 10 }, () => "old"));
    expect(loader.calls).toHaveLength(2);
    loader.last.resolve("new");
    await settled();
    expect(text(await group.get("k"))).toBe("new");
    expect(loader.calls).toHaveLength(2);
    expect(group.stats()).toMatchObject({ staleHits: 10, cacheHits: 11, loads: 1, localLoads: 2 });
    expectBalance(group.stats());
  });

  it("ends: afterwards callers wait for the load", async () => {
    const { group, clock, loader } = waitingGroup(policy);
    const first = group.get("k");
    loader.last.resolve("old");
    await first;
    await clock.advance(150);
    const fresh = group.get("k");
    loader.last.resolve("new");
    expect(text(await fresh)).toBe("new");
  });

  it("waits a second before it retries a failed refresh", async () => {
    const { group, clock, loader } = waitingGroup({ ...policy, staleWhileRevalidateMs: 10_000 });
    const first = group.get("k");
    loader.last.resolve("old");
    await first;
    await clock.advance(100);
    for (let round = 1; round <= 2; round++) {
      await group.get("k");
      expect(loader.calls).toHaveLength(1 + round);
      loader.last.reject(new Error("origin is down"));
      await settled();
      await clock.advance(999);
      for (let asked = 0; asked < 10; asked++) expect(text(await group.get("k"))).toBe("old");
      expect(loader.calls).toHaveLength(1 + round);
      await clock.advance(1);
    }
    await group.get("k");
    loader.last.resolve("new");
    await settled();
    expect(text(await group.get("k"))).toBe("new");
    expectBalance(group.stats());
  });

  it("does not apply to peek, which returns fresh values only", async () => {
    const { group, clock } = newGroup({ load: () => "v", ...policy });
    await group.get("k");
    await clock.advance(100);
    expect(group.peek("k")).toBeUndefined();
  });

  it("I8 survives a refresh that fails or hangs, and retries after a backoff", async () => {
    const { group, clock, loader } = waitingGroup({ ...policy, timeoutMs: 20 });
    const first = group.get("k");
    loader.last.resolve("old");
    await first;
    await clock.advance(100);
    expect(text(await group.get("k"))).toBe("old");
    loader.last.reject(new Error("down"));
    await settled();
    await clock.advance(5);
    expect(text(await group.get("k"))).toBe("old");
    expect(loader.calls).toHaveLength(3);
    await clock.advance(20);
    expect(loader.last.signal.aborted).toBe(true);
    await clock.advance(5);
    expect(text(await group.get("k"))).toBe("old");
    expect(loader.calls).toHaveLength(4);
    loader.last.resolve("new");
    await settled();
    expect(text(group.peek("k"))).toBe("new");
    expectBalance(group.stats());
  });

  it("ends at once when the origin has no value any more", async () => {
    const { group, clock, loader } = waitingGroup(policy);
    const first = group.get("k");
    loader.last.resolve("old");
    await first;
    await clock.advance(100);
    expect(text(await group.get("k"))).toBe("old");
    loader.last.resolve(undefined);
    await settled();
    const next = group.get("k");
    loader.last.resolve(undefined);
    expect(await next).toBeUndefined();
    expect(loader.calls).toHaveLength(3);
  });

  it("I2 does not restore a value that was invalidated during its refresh", async () => {
    const { group, clock, loader } = waitingGroup(policy);
    const first = group.get("k");
    loader.last.resolve("old");
    await first;
    await clock.advance(100);
    await group.get("k");
    await group.invalidate("k");
    loader.last.resolve("older than the invalidation");
    await settled();
    expect(group.peek("k")).toBeUndefined();
    const fresh = group.get("k");
    loader.last.resolve("new");
    expect(text(await fresh)).toBe("new");
  });
});

describe("staleIfErrorMs", () => {
  const policy = { ttlMs: 100, ttlJitter: 0, staleIfErrorMs: 1000, timeoutMs: 50 };

  it("serves the stale value to all waiters when the origin fails or hangs", async () => {
    const { group, clock, loader } = waitingGroup(policy);
    const first = group.get("k");
    loader.last.resolve("old");
    await first;
    await clock.advance(100);
    const failing = Promise.all([group.get("k"), group.get("k")]);
    loader.last.reject(new Error("down"));
    expect((await failing).map(text)).toEqual(["old", "old"]);
    expect(group.stats()).toMatchObject({ localLoadErrs: 1, staleHits: 1 });
    expectBalance(group.stats());
  });

  it("serves the stale value at once after the first failure, with one probe at a time", async () => {
    const { group, clock, loader } = waitingGroup(policy);
    const first = group.get("k");
    loader.last.resolve("old");
    await first;
    await clock.advance(100);
    const hanging = Promise.all([group.get("k"), group.get("k")]);
    await clock.advance(50);
    expect((await hanging).map(text)).toEqual(["old", "old"]);
    expect(loader.last.signal.aborted).toBe(true);
    // During the backoff, then while a probe hangs: nobody waits.
    for (const calls of [2, 3, 3]) {
      expect(text(await group.get("k"))).toBe("old");
      expect(text(await group.get("k"))).toBe("old");
      if (calls === 2) await clock.advance(99);
      expect(loader.calls).toHaveLength(calls);
      await clock.advance(1);
    }
    loader.last.resolve("new");
    await settled();
    expect(text(await group.get("k"))).toBe("new");
    expect(loader.calls).toHaveLength(3);
    expectBalance(group.stats());
  });

  it("I2 a failing origin does not bring an invalidated value back", async () => {
    const { group, clock, loader } = waitingGroup(policy);
    const first = group.get("k");
    loader.last.resolve("old");
    await first;
    await clock.advance(100);
    const failing = group.get("k");
    loader.last.reject(new Error("down"));
    expect(text(await failing)).toBe("old");
    await group.invalidate("k");
    const fresh = group.get("k");
    expect(loader.calls).toHaveLength(3);
    loader.last.resolve("new");
    expect(text(await fresh)).toBe("new");
  });

  it("ends: afterwards the error is returned", async () => {
    const { group, clock, loader } = waitingGroup(policy);
    const first = group.get("k");
    loader.last.resolve("old");
    await first;
    await clock.advance(1100);
    const failing = group.get("k");
    loader.last.reject(new Error("down"));
    await expect(failing).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
  });

  it("I2 serves no value that was invalidated before or during the load", async () => {
    const { group, clock, loader } = waitingGroup(policy);
    for (const when of ["before", "during"]) {
      const first = group.get("k");
      loader.last.resolve("old");
      await first;
      await clock.advance(100);
      if (when === "before") await group.invalidate("k");
      const failing = group.get("k");
      if (when === "during") await group.invalidate("k");
      loader.last.reject(new Error("down"));
      await expect(failing, when).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
    }
    expectBalance(group.stats());
  });
});

describe("negativeTtlMs", () => {
  it("is how long the absence of a value is cached", async () => {
    let value: string | undefined;
    const load = vi.fn(() => value);
    const { group, clock } = newGroup({ load, negativeTtlMs: 100 });
    expect(await group.get("k")).toBeUndefined();
    value = "born meanwhile";
    await clock.advance(99);
    expect(await group.get("k")).toBeUndefined();
    expect(load).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    expect(text(await group.get("k"))).toBe("born meanwhile");
  });

  it("is 0 by default: each call loads again", async () => {
    const load = vi.fn(() => undefined);
    const { group } = newGroup({ load });
    await group.get("k");
    await group.get("k");
    expect(load).toHaveBeenCalledTimes(2);
    expect(group.stats()).toMatchObject({ localLoads: 2, main: { items: 0 } });
  });

  it("ends with an invalidation", async () => {
    let value: string | undefined;
    const { group } = newGroup({ load: () => value, negativeTtlMs: 100 });
    await group.get("k");
    value = "born";
    await group.invalidate("k");
    expect(text(await group.get("k"))).toBe("born");
  });
});
