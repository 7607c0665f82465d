import { describe, expect, it } from "vitest";
import { ReplayGuard } from "./replay-guard.ts";

const windowMs = 30_000;

function guard() {
  const replays = new ReplayGuard({ windowMs });
  return (session: string, number: number, signedAt = 0, now = signedAt): boolean =>
    replays.accept({ session, number, signedAt, now });
}

describe("a message number", () => {
  it("is accepted once", () => {
    const accept = guard();
    expect([1, 2, 2, 1, 3].map((number) => accept("a", number))).toEqual([
      true,
      true,
      false,
      false,
      true,
    ]);
  });

  it("may arrive out of order within the window", () => {
    const accept = guard();
    expect(accept("a", 4096)).toBe(true);
    expect(accept("a", 1)).toBe(true);
    expect(accept("a", 1)).toBe(false);
    expect(accept("a", 4097)).toBe(true);
    expect(accept("a", 1)).toBe(false);
    expect(accept("a", 2)).toBe(true);
  });

  it("is rejected as used or too old, however many numbers are skipped", () => {
    const accept = guard();
    for (const number of [3, 10, 4000, 7000, 100_000, 99_999]) {
      expect(accept("a", number), `${number}`).toBe(true);
      expect(accept("a", number), `${number} again`).toBe(false);
    }
    expect(accept("a", 100_000 - 4096)).toBe(false);
    expect(accept("a", 100_000 - 4095)).toBe(true);
    for (const number of [3, 10, 4000, 7000]) expect(accept("a", number)).toBe(false);
  });

  it("is independent of other sessions", () => {
    const accept = guard();
    expect([accept("a", 1), accept("b", 1), accept("b", 1)]).toEqual([true, true, false]);
  });

  it("is accepted exactly once in any order within the window", () => {
    const accept = guard();
    let seed = 7;
    const random = (): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return seed / 2 ** 32;
    };
    const seen = new Set<number>();
    let highest = 0;
    for (let step = 0; step < 20_000; step++) {
      const number = Math.max(1, highest - 4095 + Math.floor(random() * 4200));
      highest = Math.max(highest, number);
      expect(accept("a", number), `${number} of ${highest}`).toBe(!seen.has(number));
      seen.add(number);
    }
    expect(seen.size).toBeGreaterThan(5000);
  });
});

describe("sessions", () => {
  it("are dropped when none of their messages can be accepted any more", () => {
    const accept = guard();
    for (let session = 0; session < 8192; session++) accept(`s${session}`, 1, 0);
    expect(accept("one more", 1, windowMs)).toBe(false);
    expect(accept("s7", 2, windowMs)).toBe(true);
    expect(accept("one more", 1, windowMs + 1)).toBe(true);
    expect(accept("s7", 2, windowMs + 1)).toBe(false);
  });
});
