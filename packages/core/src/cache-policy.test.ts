import { describe, expect, it } from "vitest";
import { type CachePolicy, resolvePolicy } from "./cache-policy.ts";

const mebibyte = 2 ** 20;

describe("resolvePolicy", () => {
  it("fills in the documented defaults", () => {
    expect(resolvePolicy({})).toEqual({
      maxBytes: 64 * mebibyte,
      ttlMs: Number.POSITIVE_INFINITY,
      ttlJitter: 0.1,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 0,
      negativeTtlMs: 0,
      timeoutMs: 10_000,
      hotFromRatePerMinute: 10,
      onPeerFailure: "load",
      maxFallbackLoads: 64,
      originBreaker: { errorTtlMs: 100, maxErrorTtlMs: 5_000, failures: 20 },
      version: "",
      maxKeyBytes: 1024,
      maxValueBytes: 16 * mebibyte,
    });
  });

  it("accepts values up to each limit", () => {
    const lowest: CachePolicy = {
      maxBytes: 0,
      ttlMs: 0,
      ttlJitter: 0,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 0,
      negativeTtlMs: 0,
      timeoutMs: 1,
      hot: { minRatePerMinute: 0 },
      onPeerFailure: "fail",
      maxFallbackLoads: 1,
      originBreaker: { errorTtlMs: 1, maxErrorTtlMs: 1, failures: 1 },
      version: "2",
      maxKeyBytes: 1,
      maxValueBytes: 0,
    };
    const { hot, ...same } = lowest;
    expect(hot).toBeDefined();
    expect(resolvePolicy(lowest)).toEqual({ ...same, hotFromRatePerMinute: 0 });
    const highest: CachePolicy = {
      maxBytes: 16 * 1024 * mebibyte,
      ttlMs: Number.POSITIVE_INFINITY,
      ttlJitter: 1,
      staleWhileRevalidateMs: Number.POSITIVE_INFINITY,
      staleIfErrorMs: Number.POSITIVE_INFINITY,
      negativeTtlMs: Number.POSITIVE_INFINITY,
      timeoutMs: 366 * 24 * 3600 * 1000,
      maxFallbackLoads: 1_000_000,
      originBreaker: { errorTtlMs: 3_600_000, maxErrorTtlMs: 3_600_000, failures: 1_000_000 },
      maxKeyBytes: 65_535,
      maxValueBytes: 512 * mebibyte,
    };
    expect(resolvePolicy(highest)).toMatchObject(highest);
  });

  it("turns the circuit breaker of the origin off for false", () => {
    expect(resolvePolicy({ originBreaker: false }).originBreaker).toMatchObject({
      errorTtlMs: 0,
      failures: Number.POSITIVE_INFINITY,
    });
  });

  it("takes a version of letters, digits, dots, underscores and hyphens, or a number", () => {
    expect(resolvePolicy({ version: 2 }).version).toBe("2");
    expect(resolvePolicy({ version: "2026-11.a_b" }).version).toBe("2026-11.a_b");
    for (const version of ["", "a b", "a@b", "x".repeat(41), null, {}]) {
      expect(() => resolvePolicy({ version } as CachePolicy)).toThrow(/^version must have 1 to 40/);
    }
  });

  it("turns the hot cache off for false, and uses the default rate for an empty object", () => {
    expect(resolvePolicy({ hot: false }).hotFromRatePerMinute).toBe(Number.POSITIVE_INFINITY);
    expect(resolvePolicy({ hot: {} }).hotFromRatePerMinute).toBe(10);
  });

  it.each([
    ["maxBytes", [-1, 16 * 1024 * mebibyte + 1, Number.POSITIVE_INFINITY], "from 0 to 17179869184"],
    ["ttlMs", [-1], "from 0 to Infinity"],
    ["ttlJitter", [-0.1, 1.01], "from 0 to 1"],
    ["staleWhileRevalidateMs", [-1], "from 0 to Infinity"],
    ["staleIfErrorMs", [-1], "from 0 to Infinity"],
    ["negativeTtlMs", [-1], "from 0 to Infinity"],
    ["timeoutMs", [0, -1, Number.POSITIVE_INFINITY], "from 1 to 31622400000"],
    ["maxFallbackLoads", [0, -1, 1_000_001], "from 1 to 1000000"],
    ["maxKeyBytes", [0, 65_536], "from 1 to 65535"],
    ["maxValueBytes", [-1, 512 * mebibyte + 1], "from 0 to 536870912"],
  ] as const)(
    "names %s and its range when it is out of range or not a number",
    (field, outside, limits) => {
      for (const given of [...outside, Number.NaN, "1", null, {}]) {
        expect(() => resolvePolicy({ [field]: given })).toThrow(
          expect.objectContaining({
            code: "INVALID_ARGUMENT",
            message: expect.stringContaining(`${field} must be a number ${limits}, got `),
          }),
        );
      }
    },
  );

  it.each([
    [{ hot: true }, "hot must be false or an object, got true"],
    [{ hot: null }, "hot must be false or an object, got null"],
    [
      { hot: { minRatePerMinute: -1 } },
      "hot.minRatePerMinute must be a number from 0 to Infinity, got -1",
    ],
    [
      { hot: { minRatePerMinute: "5" } },
      'hot.minRatePerMinute must be a number from 0 to Infinity, got "5"',
    ],
    [{ onPeerFailure: "retry" }, 'onPeerFailure must be "load" or "fail", got "retry"'],
    [null, "options must be an object, got null"],
    ["fast", 'options must be an object, got "fast"'],
  ])("rejects %j with the rule", (policy, message) => {
    expect(() => resolvePolicy(policy as CachePolicy)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message }),
    );
  });
});
