import type { Clock } from "@parsec/core";

const longestTimerMs = 2 ** 31 - 1;

/**
 * The process's monotonic clock, read on each call: the validity of a lease must not be decided by a time that
 * was read before the process was suspended.
 */
export function createMonotonicClock(): Clock {
  return {
    now: () => performance.now(),
    schedule(delayMs, task) {
      const timer = setTimeout(task, Math.min(delayMs, longestTimerMs));
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}
