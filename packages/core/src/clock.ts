/** A source of time and timers. Pass one to tests; without it everything uses the process's monotonic clock. */
export interface Clock {
  /** Milliseconds on a monotonic clock with an arbitrary zero. */
  now(): number;
  /** Runs `task` once after `delayMs`; the returned function cancels it. Never keeps the process alive. */
  schedule(delayMs: number, task: () => void): () => void;
}

/** About 24.8 days. Node turns longer timers into timers of 1 ms. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * The process's monotonic clock. Caches its reading for up to a millisecond, because reading the time
 * costs 40 ns, a good part of a cache hit.
 */
export function createSystemClock(): Clock {
  let cached = 0;
  const forget = (): void => {
    cached = 0;
  };
  return {
    now() {
      if (cached === 0) {
        cached = performance.now();
        setTimeout(forget, 1).unref();
      }
      return cached;
    },
    schedule(delayMs, task) {
      const timer = setTimeout(task, Math.min(delayMs, longestTimerMs));
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}
