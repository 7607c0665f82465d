import type { Clock } from "@parsec/core";
import { settlePromises } from "./settle-promises.ts";

/** A clock that only the test advances. Use it where time limits, ttls and delays are tested without waiting. */
export interface ManualClock extends Clock {
  /** Number of pending timers; 0 after everything that uses this clock was closed. */
  readonly pendingCount: number;
  /** Due time of the next timer in ms; undefined without a timer. */
  nextTimerAt(): number | undefined;
  /** Advances by `byMs` and runs all due timers in order, without running promise reactions in between. */
  advance(byMs: number): void;
  /** Advances to the next timer and runs it alone. Returns false without a timer. */
  advanceToNextTimer(): boolean;
  /** Like `advance`, and runs all promise reactions before, between and after the timers. */
  run(byMs: number): Promise<void>;
  /**
   * Advances by 10 ms about every millisecond while `outcome` is pending. For tests with real
   * connections: a time limit expires only where the test waits for it, on machines of any speed.
   * Settles as `outcome` does.
   */
  runUntil<T>(outcome: Promise<T>): Promise<T>;
}

interface Timer {
  readonly dueAt: number;
  readonly task: () => void;
}

/** Creates a {@link ManualClock} that starts at `startMs`, by default 0. */
export function createManualClock(options: { readonly startMs?: number } = {}): ManualClock {
  let now = options.startMs ?? 0;
  // Sorted by due time, then by the order of scheduling.
  const timers: Timer[] = [];

  const insert = (timer: Timer): void => {
    let low = 0;
    let high = timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((timers[middle] as Timer).dueAt <= timer.dueAt) low = middle + 1;
      else high = middle;
    }
    timers.splice(low, 0, timer);
  };

  const fireNext = (limit: number): boolean => {
    const next = timers[0];
    if (next === undefined || next.dueAt > limit || next.dueAt === Number.POSITIVE_INFINITY) {
      return false;
    }
    timers.shift();
    now = Math.max(now, next.dueAt);
    next.task();
    return true;
  };

  const advance = (byMs: number): void => {
    const target = now + byMs;
    while (fireNext(target));
    now = target;
  };

  return {
    now: () => now,
    schedule(delayMs, task) {
      const timer: Timer = { dueAt: now + Math.max(0, delayMs), task };
      insert(timer);
      return () => {
        const index = timers.indexOf(timer);
        if (index >= 0) timers.splice(index, 1);
      };
    },
    get pendingCount() {
      return timers.length;
    },
    nextTimerAt: () => timers[0]?.dueAt,
    advance,
    advanceToNextTimer: () => fireNext(Number.MAX_VALUE),
    async run(byMs) {
      const target = now + byMs;
      await settlePromises();
      while (fireNext(target)) await settlePromises();
      now = target;
    },
    async runUntil(outcome) {
      const ticks = setInterval(() => advance(10), 1);
      try {
        return await outcome;
      } finally {
        clearInterval(ticks);
      }
    },
  };
}
