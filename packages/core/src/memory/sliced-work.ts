import type { Clock } from "../clock.ts";

/** The longest that steps are started in one turn of the event loop, for all tasks together. */
const turnMs = 2;
/** Bounds a turn where a test's clock stands still. */
const stepsPerTurn = 32;

/**
 * Long work of the groups of one node. It is done in short steps, for about 2 ms in each turn of the event loop, however
 * many tasks there are and however slow the machine is.
 */
export class SlicedWork {
  readonly #clock: Clock;
  /** The task to continue is the first one. */
  readonly #tasks: (() => boolean)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `step` in later turns until it returns false. A step must take much less than 2 ms. */
  add(step: () => boolean): void {
    this.#tasks.push(step);
    if (this.#tasks.length === 1) this.#workLater();
  }

  #workLater(): void {
    this.#clock.schedule(0, () => this.#work());
  }

  #work(): void {
    const endsAt = this.#clock.now() + turnMs;
    for (let steps = 0; steps < stepsPerTurn && this.#tasks.length > 0; steps++) {
      const step = this.#tasks[0] as () => boolean;
      if (!step()) this.#tasks.shift();
      if (this.#clock.now() >= endsAt) break;
    }
    if (this.#tasks.length > 0) this.#workLater();
  }
}
