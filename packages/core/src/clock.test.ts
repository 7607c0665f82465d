import { describe, expect, it, vi } from "vitest";
import { createNodeClock, createSystemClock } from "./clock.ts";

describe("createSystemClock", () => {
  it("never goes backwards and follows the process's monotonic clock", async () => {
    const clock = createSystemClock();
    let last = clock.now();
    for (let turn = 0; turn < 50; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      const now = clock.now();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
    expect(performance.now()).toBeGreaterThanOrEqual(last);
    await vi.waitFor(() => expect(clock.now()).toBeGreaterThan(last));
  });

  it("follows the time during synchronous work", () => {
    const clock = createNodeClock(undefined);
    const soon = clock.now() + 5;
    expect(clock.isAhead(soon)).toBe(true);
    while (performance.now() <= soon);
    expect(clock.isAhead(soon)).toBe(false);
    expect(clock.now()).toBeGreaterThan(soon);
  });

  it("reads the time seldom for times that are far away, and never lags by more than 64 calls", () => {
    const clock = createNodeClock(undefined);
    const reading = vi.spyOn(performance, "now");
    for (let call = 0; call < 1_000; call++) clock.isAhead(Number.POSITIVE_INFINITY);
    const readings = reading.mock.calls.length;
    reading.mockRestore();
    expect(readings).toBeGreaterThanOrEqual(1_000 / 65 - 1);
    expect(readings).toBeLessThan(1_000 / 32);
  });

  it("reads a clock that was given for each call", () => {
    let now = 0;
    const clock = createNodeClock({ now: () => now, schedule: () => () => {} });
    expect(clock.isAhead(100_000)).toBe(true);
    now = 100_000;
    expect(clock.isAhead(100_000)).toBe(false);
    expect(clock.recent()).toBe(100_000);
  });

  it("runs a task once after its delay", async () => {
    const clock = createSystemClock();
    const task = vi.fn();
    clock.schedule(1, task);
    await vi.waitFor(() => expect(task).toHaveBeenCalledTimes(1));
  });

  it("does not run a cancelled task, and tolerates a second cancel", async () => {
    const clock = createSystemClock();
    const cancelled = vi.fn();
    const cancel = clock.schedule(1, cancelled);
    cancel();
    cancel();
    const later = vi.fn();
    clock.schedule(10, later);
    await vi.waitFor(() => expect(later).toHaveBeenCalled());
    expect(cancelled).not.toHaveBeenCalled();
  });

  it("does not fire at once for a delay longer than Node's timers allow", async () => {
    const clock = createSystemClock();
    const far = vi.fn();
    const cancel = clock.schedule(Number.POSITIVE_INFINITY, far);
    const near = vi.fn();
    clock.schedule(20, near);
    await vi.waitFor(() => expect(near).toHaveBeenCalled());
    expect(far).not.toHaveBeenCalled();
    cancel();
  });
});
