import type { NodeClock } from "../src/clock.ts";

interface Timer {
  readonly dueAt: number;
  readonly task: () => void;
}

/** A clock that the test moves. (`@parsec/testkit` has a fuller one, but depends on this package.) */
export class SteppedClock implements NodeClock {
  #now = 1000;
  readonly #timers: Set<Timer> = new Set();

  get pendingCount(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  schedule(delayMs: number, task: () => void): () => void {
    const timer = { dueAt: this.#now + delayMs, task };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  isAhead(timeMs: number): boolean {
    return timeMs > this.#now;
  }

  recent(): number {
    return this.#now;
  }

  hold(): void {}

  release(): void {}

  /** Runs the timers due within `byMs` in order, and lets promises and immediates settle in between. */
  async advance(byMs: number): Promise<void> {
    const target = this.#now + byMs;
    await settled();
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.dueAt <= target);
      due.sort((a, b) => a.dueAt - b.dueAt);
      const [next] = due;
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.dueAt);
      next.task();
      await settled();
    }
    this.#now = target;
  }
}

/** Resolves when all pending promises and immediates have settled. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
