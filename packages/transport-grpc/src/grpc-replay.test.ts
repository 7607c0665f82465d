import { createSeededRandom } from "@parsec/testkit";
import { describe, expect, it } from "vitest";
import { ReplayGuard } from "./grpc-replay.ts";

const windowMs = 30_000;

function guard() {
  const replays = new ReplayGuard({ windowMs });
  return (session: string, number: number, signedAt = 0, now = signedAt): boolean =>
    replays.accept({ session, number, signedAt, now });
}

describe("each number of a session", () => {
  it("passes once", () => {
    const accept = guard();
    expect([1, 2, 2, 1, 3].map((number) => accept("a", number))).toEqual([
      true,
      true,
      false,
      false,
      true,
    ]);
  });

  it("may overtake others, within bounds", () => {
    const accept = guard();
    expect(accept("a", 2048)).toBe(true);
    expect(accept("a", 1)).toBe(true);
    expect(accept("a", 1)).toBe(false);
    expect(accept("a", 2049)).toBe(true);
    expect(accept("a", 1)).toBe(false);
    expect(accept("a", 2)).toBe(true);
  });

  it("is its own: other sessions count by themselves", () => {
    const accept = guard();
    expect([accept("a", 1), accept("b", 1), accept("b", 1)]).toEqual([true, true, false]);
  });

  it("passes exactly once in any order that keeps within the window", () => {
    const accept = guard();
    const random = createSeededRandom(7);
    const seen = new Set<number>();
    let highest = 0;
    for (let step = 0; step < 20_000; step++) {
      const number = Math.max(1, highest - 2047 + Math.floor(random() * 2100));
      highest = Math.max(highest, number);
      expect(accept("a", number), `${number} of ${highest}`).toBe(!seen.has(number));
      seen.add(number);
    }
    expect(seen.size).toBeGreaterThan(5000);
  });
});

describe("sessions", () => {
  it("are forgotten when nothing signed in them can be accepted any more", () => {
    const accept = guard();
    for (let session = 0; session < 8192; session++) accept(`s${session}`, 1, 0);
    expect(accept("one more", 1, windowMs)).toBe(false);
    expect(accept("one more", 1, windowMs + 1)).toBe(true);
  });
});
