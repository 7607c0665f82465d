import { expect, it } from "vitest";
import { remainingMs } from "./remaining-time.ts";

const second = Date.UTC(2030, 0, 1, 12, 0, 0);
const date = new Date(second).toUTCString();
const none = { ttlMs: undefined, date, expiresAtMs: undefined, nowMs: second + 300 };
const inTenSeconds = { ...none, expiresAtMs: second + 10_300 };

it.each([
  ["is unlimited without a header and an expiry", none, Number.POSITIVE_INFINITY],
  ["is that of the header", { ...inTenSeconds, ttlMs: "70" }, 70],
  ["is never negative", { ...none, ttlMs: "-1" }, 0],
  ["is 0 for a header that is not a number", { ...none, ttlMs: "soon" }, 0],
  ["is the time until the expiry, for equal clocks", inTenSeconds, 10_000],
  ["is 0 after the expiry", { ...inTenSeconds, expiresAtMs: second - 1 }, 0],
  ["is by this clock without a date", { ...inTenSeconds, date: undefined }, 10_000],
  ["is by this clock with a broken date", { ...inTenSeconds, date: "yesterday" }, 10_000],
  ["is by the owner's date when this clock is behind", { ...inTenSeconds, nowMs: 5 }, 9_301],
  [
    "is by the owner's date when this clock is ahead",
    { ...inTenSeconds, nowMs: second + 3_600_000 },
    9_301,
  ],
])("%s", (_, times, expected) => {
  expect(remainingMs(times)).toBe(expected);
});
