/** Where time comes from. A test hands in its own; production uses {@link createSystemClock}. */
export interface Clock {
  /** Milliseconds on a clock that never goes backwards; its zero means nothing. */
  now(): number;
  /** Runs `task` once after `delayMs`; the returned function cancels it. Never keeps the process alive. */
  schedule(delayMs: number, task: () => void): () => void;
}

/** Node clamps longer timers to 1 ms; the longest it takes is about 24.8 days. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * The process's monotonic clock, read at most once per millisecond of waiting:
 * a cache hit should not pay 40 ns for a system call whose answer has not changed.
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
