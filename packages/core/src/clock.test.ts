import { describe, expect, it, vi } from "vitest";
import { createSystemClock } from "./clock.ts";

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

  it("returns the same time within one turn, so that many hits read it once", () => {
    const clock = createSystemClock();
    const first = clock.now();
    const until = performance.now() + 5;
    while (performance.now() < until);
    expect(clock.now()).toBe(first);
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
