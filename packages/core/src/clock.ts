/** A source of time and timers. Pass one to tests; without it everything uses the process's monotonic clock. */
export interface Clock {
  /** Milliseconds on a monotonic clock with an arbitrary zero. */
  now(): number;
  /** Runs `task` once after `delayMs`; the returned function cancels it. Never keeps the process alive. */
  schedule(delayMs: number, task: () => void): () => void;
}

/** The clock of one node, with what a cache hit and a waiting caller need. */
export interface NodeClock extends Clock {
  /**
   * Whether a time is still to come. Reads the time for each call only where it is less than 30 s away; else a
   * reading is used for up to 64 calls or a millisecond, because it costs 40 ns, a good part of a cache hit.
   */
  isAhead(timeMs: number): boolean;
  /** A time that is up to 64 calls or a millisecond old, for estimates. */
  recent(): number;
  /** Keeps the process alive until as many calls of {@link release}. A clock of a test never does. */
  hold(): void;
  release(): void;
}

/** About 24.8 days. Node turns longer timers into timers of 1 ms. */
const longestTimerMs = 2 ** 31 - 1;
/** Longer than synchronous work ever takes. */
const nearMs = 30_000;
const callsPerReading = 64;
/** How often the timer that keeps the process alive looks whether it is still needed. */
const holdCheckMs = 1_000;

/** The process's monotonic clock. */
export function createSystemClock(): Clock {
  return createNodeClock(undefined);
}

/** The clock that was given, or the process's monotonic clock. */
export function createNodeClock(given: Clock | undefined): NodeClock {
  if (given === undefined) return new SystemClock();
  if (given instanceof SystemClock) return given;
  return {
    now: () => given.now(),
    schedule: (delayMs, task) => given.schedule(delayMs, task),
    isAhead: (timeMs) => timeMs > given.now(),
    recent: () => given.now(),
    hold() {},
    release() {},
  };
}

class SystemClock implements NodeClock {
  #reading = Number.NEGATIVE_INFINITY;
  #callsLeft = 0;
  #isTimerSet = false;
  #holds = 0;
  #holdTimer: ReturnType<typeof setInterval> | undefined;

  now(): number {
    return performance.now();
  }

  schedule(delayMs: number, task: () => void): () => void {
    const timer = setTimeout(task, Math.min(delayMs, longestTimerMs));
    timer.unref();
    return () => clearTimeout(timer);
  }

  isAhead(timeMs: number): boolean {
    if (timeMs - this.recent() > nearMs) return true;
    return timeMs > performance.now();
  }

  recent(): number {
    if (--this.#callsLeft >= 0) return this.#reading;
    this.#callsLeft = callsPerReading;
    if (!this.#isTimerSet) {
      this.#isTimerSet = true;
      setTimeout(() => {
        this.#isTimerSet = false;
        this.#callsLeft = 0;
      }, 1).unref();
    }
    this.#reading = performance.now();
    return this.#reading;
  }

  hold(): void {
    this.#holds++;
    if (this.#holds > 1) return;
    this.#holdTimer ??= setInterval(() => this.#checkHold(), holdCheckMs);
    this.#holdTimer.ref();
  }

  release(): void {
    this.#holds--;
    if (this.#holds === 0) this.#holdTimer?.unref();
  }

  #checkHold(): void {
    if (this.#holds > 0) return;
    clearInterval(this.#holdTimer);
    this.#holdTimer = undefined;
  }
}
