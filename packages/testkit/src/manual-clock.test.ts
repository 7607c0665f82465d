import { expect, it } from "vitest";
import { createManualClock } from "./manual-clock.ts";

it("advances only when the test advances it", () => {
  const clock = createManualClock({ startMs: 100 });
  expect(clock.now()).toBe(100);
  clock.advance(5.5);
  expect(clock.now()).toBe(105.5);
});

it("runs due timers by time, then by order of scheduling, each at its own time", () => {
  const clock = createManualClock();
  const seen: string[] = [];
  const note = (name: string) => () => seen.push(`${name}@${clock.now()}`);
  clock.schedule(20, note("late"));
  clock.schedule(10, note("first"));
  clock.schedule(10, note("second"));
  clock.schedule(31, note("never"));
  clock.advance(30);
  expect(seen).toEqual(["first@10", "second@10", "late@20"]);
  expect(clock.now()).toBe(30);
  expect(clock.pendingCount).toBe(1);
  expect(clock.nextTimerAt()).toBe(31);
});

it("runs a timer that another timer schedules within the same advance", () => {
  const clock = createManualClock();
  const seen: number[] = [];
  clock.schedule(10, () => clock.schedule(10, () => seen.push(clock.now())));
  clock.advance(20);
  expect(seen).toEqual([20]);
});

it("drops a cancelled timer, which can be cancelled twice", () => {
  const clock = createManualClock();
  const cancel = clock.schedule(1, () => {
    throw new Error("must not run");
  });
  cancel();
  cancel();
  expect(clock.pendingCount).toBe(0);
  clock.advance(10);
});

it("advances to the next timer, and never to one with an infinite delay", () => {
  const clock = createManualClock();
  const seen: string[] = [];
  clock.schedule(Number.POSITIVE_INFINITY, () => seen.push("infinite"));
  clock.schedule(7, () => seen.push("seven"));
  expect(clock.advanceToNextTimer()).toBe(true);
  expect(clock.now()).toBe(7);
  expect(clock.advanceToNextTimer()).toBe(false);
  expect(seen).toEqual(["seven"]);
});

it("treats a negative delay as 0", () => {
  const clock = createManualClock();
  let ran = false;
  clock.schedule(-5, () => {
    ran = true;
  });
  clock.advance(0);
  expect(ran).toBe(true);
});

it("runs promise reactions between the timers of a run", async () => {
  const clock = createManualClock();
  const seen: string[] = [];
  const sleep = (ms: number) => new Promise<void>((resolve) => void clock.schedule(ms, resolve));
  const walk = async () => {
    for (let step = 1; step <= 3; step++) {
      await sleep(10);
      seen.push(`step ${step} at ${clock.now()}`);
    }
  };
  const walking = walk();
  await clock.run(30);
  expect(seen).toEqual(["step 1 at 10", "step 2 at 20", "step 3 at 30"]);
  await walking;
});

it("advances until a promise has settled, and stops then", async () => {
  const clock = createManualClock();
  const dueLater = new Promise<string>((resolve) => void clock.schedule(35, () => resolve("due")));
  expect(await clock.runUntil(dueLater)).toBe("due");
  const stoppedAt = clock.now();
  expect(stoppedAt).toBeGreaterThanOrEqual(35);
  await expect(clock.runUntil(Promise.reject(new Error("no")))).rejects.toThrow("no");
  const turn = new Promise<void>((resolve) => void setTimeout(resolve, 5));
  await turn;
  expect(clock.now()).toBe(stoppedAt);
});
