import { getEventListeners } from "node:events";
import { describe, expect, it, vi } from "vitest";
import { deferred } from "../../test/deferred.ts";
import { expectBalance, newGroup, text, waitingGroup } from "../../test/one-group.ts";
import { settled } from "../../test/stepped-clock.ts";
import { ParsecError } from "../errors.ts";
import type { GroupLoader } from "./group-cache.ts";

it("adds one listener to a signal that many callers share, and removes it when they are settled", async () => {
  const { group, loader } = waitingGroup();
  const { signal } = new AbortController();
  const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
  const values = group.getMany(keys, { signal });
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  for (const call of loader.calls) call.resolve("v");
  await values;
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});

describe("an origin that fails", () => {
  const failures: [string, () => unknown, unknown][] = [
    [
      "throws",
      () => {
        throw new Error("broken");
      },
      { message: "g: broken" },
    ],
    ["rejects", () => Promise.reject(new Error("broken")), { message: "g: broken" }],
    [
      "throws text",
      () => {
        throw "broken";
      },
      { message: "g: broken", cause: "broken" },
    ],
    ["rejects with nothing", () => Promise.reject(), { message: "g: undefined" }],
    [
      "gives a number",
      () => 5,
      { message: expect.stringContaining("must return bytes, a string or undefined, got 5") },
    ],
    ["gives null", () => null, { message: expect.stringContaining("got null") }],
    ["gives an object", () => ({ secret: 1 }), { message: expect.stringContaining("an object") }],
    [
      "gives a broken promise",
      () =>
        new Proxy(
          {},
          {
            get() {
              throw new Error("then");
            },
          },
        ),
      { message: "g: then" },
    ],
  ];

  it.each(failures)(
    "I5 that %s is called once and rejects all waiters with the same ORIGIN_FAILED",
    async (_, fail, expected) => {
      const load = vi.fn(fail as GroupLoader);
      const { group } = newGroup({ load });
      const results = await Promise.allSettled(Array.from({ length: 20 }, () => group.get("k")));
      const reasons = new Set(
        results.map((result) => result.status === "rejected" && result.reason),
      );
      expect(reasons.size).toBe(1);
      const [reason] = reasons;
      expect(reason).toBeInstanceOf(ParsecError);
      expect(reason).toMatchObject({ code: "ORIGIN_FAILED", ...(expected as object) });
      expect(load).toHaveBeenCalledTimes(1);
      expectBalance(group.stats());
      // The error is not kept.
      await expect(group.get("k")).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
      expect(load).toHaveBeenCalledTimes(2);
    },
  );

  it("I5 that rejects with PEER_UNREACHABLE of another cache rejects with ORIGIN_FAILED", async () => {
    const cause = new ParsecError("PEER_UNREACHABLE", "the other cache's affair");
    const { group } = newGroup({ load: () => Promise.reject(cause) });
    await expect(group.get("k")).rejects.toMatchObject({ code: "ORIGIN_FAILED", cause });
  });

  it("I8 does not affect other keys", async () => {
    const { group } = newGroup({
      load: (key) => (key === "bad" ? Promise.reject(new Error("no")) : `value of ${key}`),
    });
    const [bad, good] = await Promise.allSettled([group.get("bad"), group.get("good")]);
    expect(bad.status).toBe("rejected");
    expect(good).toMatchObject({ status: "fulfilled" });
  });
});

describe("timeoutMs", () => {
  it("I8 rejects all waiters of a hanging load and fires its signal", async () => {
    const { group, clock, loader } = waitingGroup({ timeoutMs: 500 });
    const waiting = Promise.allSettled([group.get("k"), group.get("k")]);
    await clock.advance(499);
    expect(loader.last.signal.aborted).toBe(false);
    await clock.advance(1);
    const results = await waiting;
    for (const result of results) {
      expect(result).toMatchObject({
        reason: {
          code: "TIMEOUT",
          message: expect.stringContaining("no answer within 500 ms (timeoutMs)"),
        },
      });
    }
    expect(loader.last.signal.aborted).toBe(true);
    expectBalance(group.stats());
    expect(clock.pendingCount).toBe(0);
  });

  it("I8 drops the result of a load that ignored its signal, and the next caller starts another", async () => {
    const { group, clock, loader } = waitingGroup({ timeoutMs: 500 });
    const late = group.get("k").catch((error: unknown) => error);
    await clock.advance(500);
    expect(await late).toMatchObject({ code: "TIMEOUT" });
    const next = group.get("k");
    expect(loader.calls).toHaveLength(2);
    loader.calls[0]?.resolve("late");
    await settled();
    expect(group.peek("k")).toBeUndefined();
    loader.calls[1]?.resolve("in time");
    expect(text(await next)).toBe("in time");
    expect(text(group.peek("k"))).toBe("in time");
    expectBalance(group.stats());
  });

  it("cancels its timer when the load ends in time", async () => {
    const { group, clock, loader } = waitingGroup();
    const value = group.get("k");
    expect(clock.pendingCount).toBe(1);
    loader.last.resolve("v");
    await value;
    expect(clock.pendingCount).toBe(0);
  });
});

describe("a caller's signal", () => {
  it("I4 that fired before the call rejects with ABORTED without a load", async () => {
    const { group, loader } = waitingGroup();
    const options = { signal: AbortSignal.abort("early") };
    await expect(group.get("k", options)).rejects.toMatchObject({
      code: "ABORTED",
      cause: "early",
    });
    expect(loader.calls).toHaveLength(0);
    expect(group.stats().gets).toBe(0);
  });

  it("I4 rejects that caller alone", async () => {
    const { group, loader } = waitingGroup();
    const leaver = new AbortController();
    const left = group.get("k", { signal: leaver.signal });
    const other = group.get("k", { signal: new AbortController().signal });
    leaver.abort();
    await expect(left).rejects.toMatchObject({ code: "ABORTED" });
    expect(loader.last.signal.aborted).toBe(false);
    loader.last.resolve("v");
    expect(text(await other)).toBe("v");
    expect(text(group.peek("k"))).toBe("v");
  });

  it("I4 of the last waiter aborts the load, whose result is not cached", async () => {
    const { group, loader } = waitingGroup();
    const leavers = [new AbortController(), new AbortController()];
    const left = leavers.map((leaver) => group.get("k", { signal: leaver.signal }));
    leavers[0]?.abort();
    expect(loader.last.signal.aborted).toBe(false);
    leavers[1]?.abort();
    expect(loader.last.signal.aborted).toBe(true);
    for (const promise of left) await expect(promise).rejects.toMatchObject({ code: "ABORTED" });
    loader.last.resolve("v");
    await settled();
    expect(group.peek("k")).toBeUndefined();
    expectBalance(group.stats());
  });

  it("I4 that fires while the load starts rejects at once", async () => {
    const leaver = new AbortController();
    let loads: AbortSignal | undefined;
    const { group } = newGroup({
      load: (_, { signal }) => {
        loads = signal;
        leaver.abort();
        return new Promise(() => {});
      },
    });
    await expect(group.get("k", { signal: leaver.signal })).rejects.toMatchObject({
      code: "ABORTED",
    });
    expect(loads?.aborted).toBe(true);
    expectBalance(group.stats());
  });

  it("I4 passes a load that reads its signal late a signal that has fired", async () => {
    const leaver = new AbortController();
    const begun = deferred<void>();
    let seen: boolean | undefined;
    const { group } = newGroup({
      load: async (_, context) => {
        await begun.promise;
        seen = context.signal.aborted;
        return "v";
      },
    });
    const left = group.get("k", { signal: leaver.signal });
    leaver.abort();
    await expect(left).rejects.toMatchObject({ code: "ABORTED" });
    begun.resolve();
    await settled();
    expect(seen).toBe(true);
  });

  it("does not affect a later hit", async () => {
    const { group } = newGroup({ load: () => "v" });
    const { signal } = new AbortController();
    await group.get("k");
    expect(text(await group.get("k", { signal }))).toBe("v");
  });

  it("must be an AbortSignal; null counts as no signal", async () => {
    const { group } = newGroup({ load: (key) => key });
    for (const signal of [{}, "signal", 5]) {
      const options = { signal: signal as unknown as AbortSignal };
      await expect(group.get("k", options)).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("signal must be an AbortSignal"),
      });
    }
    expectBalance(group.stats());
    const none = { signal: null as unknown as AbortSignal };
    for (const round of ["load", "hit"]) expect(text(await group.get("k", none)), round).toBe("k");
  });
});
