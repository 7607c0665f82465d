import { describe, expect, it } from "vitest";
import { SteppedClock } from "../../test/stepped-clock.ts";
import { hashKey } from "../key-hash.ts";
import { RequestRate } from "./request-rate.ts";

describe("RequestRate", () => {
  it("counts the requests of a key", () => {
    const rate = new RequestRate(new SteppedClock(), 2 ** 26);
    const hash = hashKey("k");
    expect([1, 2, 3].map(() => rate.count(hash))).toEqual([1, 2, 3]);
    expect(rate.count(hashKey("other"))).toBe(1);
  });

  it("counts requests of the current and the previous half minute", async () => {
    const clock = new SteppedClock();
    const rate = new RequestRate(clock, 2 ** 26);
    const hash = hashKey("k");
    rate.count(hash);
    rate.count(hash);
    await clock.advance(29_999);
    expect(rate.count(hash)).toBe(3);
    await clock.advance(1);
    expect(rate.count(hash)).toBe(4);
    await clock.advance(30_000);
    expect(rate.count(hash)).toBe(2);
    await clock.advance(30_000);
    expect(rate.count(hash)).toBe(2);
  });

  it("starts at 0 after a minute without a request", async () => {
    const clock = new SteppedClock();
    const rate = new RequestRate(clock, 2 ** 26);
    const hash = hashKey("k");
    for (let request = 0; request < 100; request++) rate.count(hash);
    await clock.advance(60_000);
    expect(rate.count(hash)).toBe(1);
    await clock.advance(10 * 60_000);
    expect(rate.count(hash)).toBe(1);
  });

  it("ends half minutes at fixed times, not at the requests that follow them", async () => {
    const clock = new SteppedClock();
    const rate = new RequestRate(clock, 2 ** 26);
    const hash = hashKey("k");
    await clock.advance(45_000);
    expect(rate.count(hash)).toBe(1);
    // The half minute that began at 30 s ends at 60 s, not at 75 s.
    await clock.advance(15_000);
    expect(rate.count(hash)).toBe(2);
    await clock.advance(30_000);
    expect(rate.count(hash)).toBe(2);
  });

  it("estimates the rate of a steady stream within half a minute", async () => {
    const clock = new SteppedClock();
    const rate = new RequestRate(clock, 2 ** 26);
    const hash = hashKey("k");
    const measured: number[] = [];
    for (let second = 0; second < 300; second++) {
      await clock.advance(1000);
      measured.push(rate.count(hash));
    }
    for (const perMinute of measured.slice(60)) {
      expect(perMinute).toBeGreaterThanOrEqual(30);
      expect(perMinute).toBeLessThanOrEqual(60);
    }
  });

  it("never underestimates a rate and seldom overestimates it by much", () => {
    const rate = new RequestRate(new SteppedClock(), 2 ** 26);
    for (let index = 0; index < 2000; index++) rate.count(hashKey(`noise ${index}`));
    let tooHot = 0;
    for (let index = 0; index < 500; index++) {
      const hash = hashKey(`key ${index}`);
      let last = 0;
      for (let request = 1; request <= 3; request++) {
        last = rate.count(hash);
        expect(last).toBeGreaterThanOrEqual(request);
      }
      if (last > 6) tooHot++;
    }
    expect(tooHot).toBeLessThan(50);
  });

  it("accepts negative hashes", () => {
    const rate = new RequestRate(new SteppedClock(), 2 ** 26);
    for (const hash of [-1, -(2 ** 31), 2 ** 31 - 1, 0]) {
      const before = rate.count(hash);
      expect(rate.count(hash)).toBe(before + 1);
    }
  });
});
