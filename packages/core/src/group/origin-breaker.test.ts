import diagnostics from "node:diagnostics_channel";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { expectBalance, newGroup, text, waitingGroup } from "../../test/one-group.ts";
import { settled } from "../../test/stepped-clock.ts";

const down = (): never => {
  throw new Error("down");
};

async function failures(group: { get(key: string): Promise<unknown> }, keys: readonly string[]) {
  const seen: { code: string; message: string; cause: unknown }[] = [];
  for (const key of keys) await group.get(key).catch((error) => seen.push(error));
  return seen;
}

const times = (count: number, key: string): string[] => Array.from({ length: count }, () => key);
const keysFrom = (start: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `k${start + index}`);

describe("a key whose fetches fail", () => {
  it("I5 is asked for once more, then answers its error until its backoff ends", async () => {
    const load = vi.fn(down);
    const { group, clock } = newGroup({ load });
    const seen = await failures(group, times(500, "k"));
    expect(load).toHaveBeenCalledTimes(2);
    expect(seen).toHaveLength(500);
    await clock.advance(40);
    const [last] = await failures(group, ["k"]);
    expect(last).toMatchObject({
      code: "ORIGIN_FAILED",
      message: "g: down (the origin failed 40 ms ago, and is asked again in 60 ms)",
      cause: new Error("down"),
    });
    expect(group.stats()).toMatchObject({ localLoadErrs: 2, refusedLoads: 499, breakerOpen: 0 });
    expectBalance(group.stats());
  });

  it("waits twice as long after each failure, up to a limit, and less a jitter", async () => {
    const { group, clock, loader } = waitingGroup({
      originBreaker: { errorTtlMs: 10, maxErrorTtlMs: 40 },
    });
    const failed = async (): Promise<void> => {
      const failing = group.get("k");
      loader.last.reject(new Error("down"));
      await expect(failing).rejects.toThrow("down");
    };
    await failed();
    for (const backoffMs of [10, 20, 40, 40]) {
      const before = loader.calls.length;
      await failed();
      expect(loader.calls).toHaveLength(before + 1);
      await clock.advance(backoffMs - 1);
      await expect(group.get("k")).rejects.toThrow("asked again in 1 ms");
      await clock.advance(1);
    }
    const jittered = newGroup({ load: down }, () => 1);
    const [, , refused] = await failures(jittered.group, times(3, "k"));
    expect(refused?.message).toContain("asked again in 50 ms");
  });

  it("is fetched again at once after an invalidation, and is free of its error after a success", async () => {
    const { group, loader } = waitingGroup();
    const fail = async (): Promise<void> => {
      const failing = group.get("k");
      loader.last.reject(new Error("down"));
      await expect(failing).rejects.toThrow("down");
    };
    for (const invalidate of [
      () => group.invalidate("k"),
      () => group.invalidateTag("t"),
      () => group.invalidateAll(),
    ]) {
      await fail();
      await fail();
      await expect(group.get("k")).rejects.toThrow("asked again");
      await invalidate();
    }
    const healed = group.get("k");
    loader.last.resolve("v");
    expect(text(await healed)).toBe("v");
    await group.invalidate("k");
    const calls = loader.calls.length;
    await fail();
    await fail();
    expect(loader.calls).toHaveLength(calls + 2);
  });

  it("does not keep a failure that an invalidation overtook", async () => {
    const { group, loader } = waitingGroup();
    for (let round = 0; round < 3; round++) {
      const failing = group.get("k");
      await group.invalidate("k");
      loader.last.reject(new Error("down"));
      await expect(failing).rejects.toThrow("g: down");
    }
    expect(loader.calls).toHaveLength(3);
  });

  it("leaves other keys alone, however often it fails", async () => {
    const load = vi.fn((key: string) => (key === "bad" ? down() : key));
    const { group, clock } = newGroup({ load, ttlMs: 0 });
    for (let round = 0; round < 200; round++) {
      await failures(group, ["bad"]);
      await clock.advance(100);
    }
    expect(text(await group.get("good"))).toBe("good");
    expect(group.stats().breakerOpen).toBe(0);
  });

  it.each([
    ["the absence of a value", () => undefined],
    ["an abort by the caller", () => new Promise<undefined>(() => {})],
  ])("is not one for %s", async (_, answer) => {
    const load = vi.fn(answer);
    const { group } = newGroup({ load });
    for (let round = 0; round < 50; round++) {
      const caller = new AbortController();
      const call = group.get(`k${round % 30}`, { signal: caller.signal }).catch(() => {});
      caller.abort();
      await call;
    }
    expect(load).toHaveBeenCalledTimes(50);
    expect(group.stats()).toMatchObject({ refusedLoads: 0, breakerOpen: 0 });
  });
});

describe("the circuit breaker of the origin", () => {
  it("opens when different keys fail in a row, and then lets one probe through after each backoff", async () => {
    const { group, clock, loader } = waitingGroup();
    const events: unknown[] = [];
    const note = (event: unknown): number => events.push(event);
    diagnostics.subscribe("parsec:origin-breaker", note);
    onTestFinished(() => {
      diagnostics.unsubscribe("parsec:origin-breaker", note);
    });
    for (const key of keysFrom(0, 20)) {
      const failing = group.get(key);
      loader.last.reject(new Error(`down for ${key}`));
      await expect(failing).rejects.toThrow("down");
    }
    expect(group.stats().breakerOpen).toBe(1);
    const [refused] = await failures(group, keysFrom(100, 1_000));
    expect(refused).toMatchObject({
      code: "ORIGIN_FAILED",
      message:
        "g: the origin is failing (the origin failed 0 ms ago, and is asked again in 100 ms)",
    });
    expect(loader.calls).toHaveLength(20);
    for (const backoffMs of [100, 200]) {
      await clock.advance(backoffMs);
      const probe = group.get("probe");
      await failures(group, keysFrom(100, 100));
      loader.last.reject(new Error("still down"));
      await expect(probe).rejects.toThrow("g: still down");
    }
    expect(loader.calls).toHaveLength(22);
    await clock.advance(400);
    const probe = group.get("k500");
    loader.last.resolve("v");
    expect(text(await probe)).toBe("v");
    // The outage is over for keys that failed before, too.
    const again = group.get("probe");
    loader.last.resolve("v");
    expect(text(await again)).toBe("v");
    expect(group.stats()).toMatchObject({ breakerOpen: 0, localLoadErrs: 22 });
    expectBalance(group.stats());
    expect(events).toEqual([
      { nodeId: "local", group: "g", state: "open", errorCode: "ORIGIN_FAILED" },
      { nodeId: "local", group: "g", state: "closed", errorCode: undefined },
    ]);
  });

  it("opens sooner for timeouts", async () => {
    const { group, clock, loader } = waitingGroup({ timeoutMs: 50 });
    for (const key of keysFrom(0, 5)) {
      const hanging = expect(group.get(key)).rejects.toMatchObject({ code: "TIMEOUT" });
      await clock.advance(50);
      await hanging;
    }
    expect(loader.calls).toHaveLength(5);
    await expect(group.get("other")).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(loader.calls).toHaveLength(5);
  });

  it("stays closed while some keys succeed", async () => {
    let calls = 0;
    const load = vi.fn((key: string) => (calls++ % 10 < 3 ? down() : key));
    const { group } = newGroup({ load });
    await failures(group, keysFrom(0, 500));
    expect(load).toHaveBeenCalledTimes(500);
    expect(group.stats().breakerOpen).toBe(0);
  });

  it("serves stale values at once while it is open, and never an invalidated one", async () => {
    const { group, clock, loader } = waitingGroup({
      ttlMs: 100,
      ttlJitter: 0,
      staleIfErrorMs: 60_000,
      originBreaker: { failures: 3, errorTtlMs: 1_000 },
    });
    for (const key of ["a", "b"]) {
      const first = group.get(key);
      loader.last.resolve(`old ${key}`);
      await first;
    }
    await clock.advance(100);
    for (const key of keysFrom(0, 3)) {
      const failing = group.get(key);
      loader.last.reject(new Error("down"));
      await expect(failing).rejects.toThrow("down");
    }
    expect(text(await group.get("a"))).toBe("old a");
    await group.invalidate("b");
    await expect(group.get("b")).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
    expect(loader.calls).toHaveLength(5);
    await clock.advance(1_000);
    expect(text(await group.get("a"))).toBe("old a");
    expect(loader.calls).toHaveLength(6);
    loader.last.resolve("new a");
    await settled();
    expect(text(await group.get("a"))).toBe("new a");
  });

  it("lets another probe through when the caller of the first aborts", async () => {
    const { group, clock, loader } = waitingGroup({ originBreaker: { failures: 1 } });
    const failing = group.get("a");
    loader.last.reject(new Error("down"));
    await expect(failing).rejects.toThrow("down");
    await clock.advance(100);
    const caller = new AbortController();
    const probe = group.get("b", { signal: caller.signal });
    await expect(group.get("c")).rejects.toThrow("the origin is failing");
    caller.abort();
    await expect(probe).rejects.toMatchObject({ code: "ABORTED" });
    const next = group.get("c");
    loader.last.resolve("v");
    expect(text(await next)).toBe("v");
  });

  it("closes after a time without requests, in which the origin may have recovered", async () => {
    const load = vi.fn((key: string) => (key === "bad" ? down() : key));
    const { group, clock } = newGroup({ load, originBreaker: { failures: 1 } });
    await failures(group, ["bad"]);
    expect(group.stats().breakerOpen).toBe(1);
    await clock.advance(10_001);
    const keys = keysFrom(0, 50);
    expect((await group.getMany(keys)).map(text)).toEqual(keys);
  });

  it("is off for false", async () => {
    const load = vi.fn(down);
    const { group } = newGroup({ load, originBreaker: false });
    await failures(group, [...times(50, "k"), ...keysFrom(0, 50)]);
    expect(load).toHaveBeenCalledTimes(100);
  });

  it("keeps a bounded number of errors", async () => {
    const load = vi.fn(down);
    const counted = newGroup({ load, originBreaker: { failures: 1_000_000 } });
    await failures(counted.group, [...times(3, "k"), ...keysFrom(0, 1_100)]);
    expect(load).toHaveBeenCalledTimes(2 + 1_100);
    // The oldest error was dropped, so the origin is asked again.
    await failures(counted.group, ["k"]);
    expect(load).toHaveBeenCalledTimes(2 + 1_100 + 1);
  });
});
