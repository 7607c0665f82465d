import { describe, expect, it } from "vitest";
import { SteppedClock } from "../../test/stepped-clock.ts";
import { SlicedWork } from "./sliced-work.ts";

/** A clock on which every step of work takes time. */
class BusyClock extends SteppedClock {
  spentMs = 0;

  override now(): number {
    return super.now() + this.spentMs;
  }
}

function workOf(stepMs: number) {
  const clock = new BusyClock();
  const work = new SlicedWork(clock);
  const turns: number[] = [];
  clock.schedule = (_delayMs, task) => {
    queueMicrotask(() => {
      const before = clock.spentMs;
      task();
      turns.push(clock.spentMs - before);
    });
    return () => {};
  };
  const add = (steps: number): Promise<void> =>
    new Promise((resolve) => {
      let left = steps;
      work.add(() => {
        clock.spentMs += stepMs;
        left--;
        if (left === 0) resolve();
        return left > 0;
      });
    });
  return { add, turns };
}

describe("sliced work", () => {
  it("ends a turn after two milliseconds, however long a step takes", async () => {
    for (const stepMs of [0.1, 0.5, 1.5]) {
      const { add, turns } = workOf(stepMs);
      await add(100);
      await Promise.resolve();
      expect(Math.max(...turns)).toBeLessThan(2 + stepMs);
      expect(turns.length).toBeGreaterThanOrEqual(100 / Math.ceil(2 / stepMs));
    }
  });

  it("shares a turn among all tasks", async () => {
    const { add, turns } = workOf(0.5);
    await Promise.all(Array.from({ length: 50 }, () => add(10)));
    await Promise.resolve();
    expect(Math.max(...turns)).toBeLessThan(2.5);
  });

  it("bounds a turn on a clock that stands still", async () => {
    const { add, turns } = workOf(0);
    await add(1000);
    await Promise.resolve();
    expect(turns.length).toBeGreaterThan(30);
  });

  it("starts again after everything was done", async () => {
    const { add, turns } = workOf(1);
    await add(3);
    await Promise.resolve();
    const before = turns.length;
    await add(3);
    await Promise.resolve();
    expect(turns.length).toBeGreaterThan(before);
  });
});
