import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { expectBalance, newGroup, text, waitingGroup } from "../../test/one-group.ts";
import { settled } from "../../test/stepped-clock.ts";
import { ParsecError } from "../errors.ts";

describe("keys and values that are too large", () => {
  it("reject with KEY_TOO_LARGE by bytes of UTF-8, without a load", async () => {
    const load = vi.fn(() => "v");
    const { group } = newGroup({ load, maxKeyBytes: 6 });
    expect(text(await group.get("日本"))).toBe("v");
    expect(text(await group.get("abcdef"))).toBe("v");
    expect(text(await group.get("\udcff".repeat(6)))).toBe("v");
    expect(load).toHaveBeenCalledTimes(3);
    for (const key of ["日本x", "abcdefg", "\udcff".repeat(7), "x".repeat(1_000_000)]) {
      await expect(group.get(key)).rejects.toMatchObject({
        code: "KEY_TOO_LARGE",
        message: expect.stringContaining("at most 6 bytes (maxKeyBytes)"),
      });
      await expect(group.invalidate(key)).rejects.toMatchObject({ code: "KEY_TOO_LARGE" });
      expect(group.peek(key)).toBeUndefined();
    }
    expect(load).toHaveBeenCalledTimes(3);
  });

  it("reject with VALUE_TOO_LARGE naming size and limit, and are not cached", async () => {
    let size = 11;
    const { group } = newGroup({ load: () => Buffer.alloc(size), maxValueBytes: 10 });
    await expect(group.get("k")).rejects.toMatchObject({
      code: "VALUE_TOO_LARGE",
      message: expect.stringMatching(/at most 10 bytes \(maxValueBytes\), got 11/),
    });
    expectBalance(group.stats());
    expect(group.stats()).toMatchObject({ localLoadErrs: 1, main: { items: 0 } });
    size = 10;
    expect((await group.get("k"))?.length).toBe(10);
  });

  it("serves a value larger than maxBytes without caching it or evicting others", async () => {
    const { group } = newGroup({ load: (key) => Buffer.alloc(Number(key)), maxBytes: 1000 });
    await group.get("100");
    expect((await group.get("5000"))?.length).toBe(5000);
    expect(group.peek("5000")).toBeUndefined();
    expect(group.peek("100")).toBeDefined();
    expect(group.stats().main.evictions).toBe(0);
  });

  it("I3 serves everything and caches nothing with a budget of 0", async () => {
    const { group } = newGroup({ load: () => "v", maxBytes: 0 });
    expect(text(await group.get("k"))).toBe("v");
    expect(group.stats().main).toMatchObject({ items: 0, bytes: 0 });
  });

  it("I3 evicts the least recently used entries when the budget is full", async () => {
    const { group } = newGroup({ load: () => Buffer.alloc(100), maxBytes: 10_000 });
    for (let index = 0; index < 500; index++) {
      await group.get(`key ${index}`);
      await group.get("often");
      expect(group.stats().main.bytes).toBeLessThanOrEqual(10_000);
    }
    expect(group.peek("often")).toBeDefined();
    expect(group.peek("key 499")).toBeDefined();
    expect(group.peek("key 0")).toBeUndefined();
    expect(group.stats().main.evictions).toBeGreaterThan(400);
  });
});

describe("the counters", () => {
  it("I8 balance with no load in flight, whatever callers and origin do", async () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constantFrom("get", "get", "leave", "peek", "invalidate"),
          key: fc.constantFrom("", "a", "b", "c"),
          at: fc.nat(20),
        }),
      },
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constantFrom("resolve", "none", "reject", "large"),
          key: fc.constant(""),
          at: fc.nat(20),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constantFrom("wait", "invalidateAll", "settle"),
          key: fc.constant(""),
          at: fc.nat(200),
        }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
        const { group, clock, loader } = waitingGroup({
          ttlMs: 60,
          staleWhileRevalidateMs: 40,
          staleIfErrorMs: 100,
          negativeTtlMs: 30,
          timeoutMs: 100,
          maxValueBytes: 100,
          maxBytes: 400,
        });
        const callers: AbortController[] = [];
        const answers: Promise<unknown>[] = [];
        const get = (key: string): void => {
          const caller = new AbortController();
          callers.push(caller);
          const options = callers.length % 3 ? { signal: caller.signal } : undefined;
          answers.push(group.get(key, options).catch((error: unknown) => error));
        };
        for (const { kind, key, at } of steps) {
          if (kind === "get") get(key);
          else if (kind === "leave") callers[at % Math.max(1, callers.length)]?.abort();
          else if (kind === "peek") group.peek(key);
          else if (kind === "invalidate") await group.invalidate(key);
          else if (kind === "invalidateAll") await group.invalidateAll();
          else if (kind === "wait") await clock.advance(at);
          else if (kind === "settle") await settled();
          else {
            const call = loader.calls[at % Math.max(1, loader.calls.length)];
            if (kind === "resolve") call?.resolve("v");
            else if (kind === "none") call?.resolve(undefined);
            else if (kind === "large") call?.resolve("x".repeat(101));
            else call?.reject(new Error("no"));
          }
          const { main } = group.stats();
          expect(main.bytes).toBeLessThanOrEqual(400);
        }
        // Every load ends by itself, by its timeout at the latest.
        await clock.advance(100);
        for (const answer of await Promise.all(answers)) {
          if (answer instanceof Error) expect(answer).toBeInstanceOf(ParsecError);
        }
        expectBalance(group.stats());
        expect(clock.pendingCount).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
