import type { Clock } from "@parsec/core";
import { settlePromises } from "./settle-promises.ts";

/** A clock that stands still until the test moves it. */
export interface ManualClock extends Clock {
  /** How many timers are waiting; 0 after everything that took this clock was closed. */
  readonly pendingCount: number;
  /** When the next timer is due, undefined when there is none. */
  nextTimerAt(): number | undefined;
  /** Moves on by `byMs` and runs every timer that falls due, in order, without letting promises react in between. */
  advance(byMs: number): void;
  /** Moves to the next timer and runs it alone. False when there is none. */
  advanceToNextTimer(): boolean;
  /** Like `advance`, but lets all promise reactions happen before, between and after the timers. */
  run(byMs: number): Promise<void>;
  /**
   * Moves on by 10 ms about every millisecond while `outcome` is pending, then stands still again. For
   * tests with real connections: a time limit passes only where the test waits for it, however slow
   * the machine is.
   */
  runUntil<T>(outcome: Promise<T>): Promise<T>;
}

interface Timer {
  readonly dueAt: number;
  readonly task: () => void;
}

/** A {@link ManualClock} that shows `startMs` (default 0) at first. */
export function createManualClock(options: { readonly startMs?: number } = {}): ManualClock {
  let now = options.startMs ?? 0;
  // Sorted by due time; equal times keep the order in which they were scheduled.
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
