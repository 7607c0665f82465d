import { expect, it } from "vitest";
import { ReplayGuard } from "./nats-replay.ts";

const guard = (): ((session: number, number: number, now?: number) => boolean) => {
  const replays = new ReplayGuard({ windowMs: 1000 });
  return (session, number, now = 0) => replays.accept({ session, number, timestamp: now, now });
};

it("lets each number of a session pass once, in any order within the window", () => {
  const accept = guard();
  const numbers = [1, 3, 2, 4096, 100, 4097, 9000, 8999];
  for (const number of numbers) expect(accept(1, number), String(number)).toBe(true);
  for (const number of numbers) expect(accept(1, number), String(number)).toBe(false);
  expect(accept(2, 3)).toBe(true);
});

it("refuses what lies too far back to be known", () => {
  const accept = guard();
  expect(accept(1, 5000)).toBe(true);
  expect(accept(1, 904)).toBe(false);
  expect(accept(1, 905)).toBe(true);
});

it("forgets nothing when numbers are skipped", () => {
  const accept = guard();
  for (const number of [10, 4000, 7000]) expect(accept(1, number)).toBe(true);
  expect(accept(1, 4000)).toBe(false);
  expect(accept(1, 4106)).toBe(true);
});

it("remembers a bounded number of sessions, and makes room when they are past their time", () => {
  const accept = guard();
  for (let session = 1; session <= 4096; session++) accept(session, 1, 0);
  expect(accept(5000, 1, 500)).toBe(false);
  expect(accept(5000, 1, 1001)).toBe(true);
});
