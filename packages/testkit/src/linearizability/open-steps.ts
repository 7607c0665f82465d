import type { RegisterStep } from "./register-problem.ts";

const head = 0;

/**
 * The starts and ends of the steps that are not in the order yet, sorted by time, in a linked list from
 * which steps are removed and restored in constant time (Knuth's dancing links). Steps must be restored
 * in the reverse order of their removal.
 */
export class OpenSteps {
  readonly #steps: readonly RegisterStep[];
  /** Entry 0 is the head; 1 to n are the starts of the steps, n + 1 to 2n their ends. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  constructor(steps: readonly RegisterStep[]) {
    this.#steps = steps;
    const count = steps.length;
    const timeOf = (entry: number): number =>
      entry <= count
        ? (steps[entry - 1]?.startedAt ?? 0)
        : (steps[entry - count - 1]?.endedAt ?? 0);
    // At equal times starts precede ends: such operations may have overlapped.
    const entries = Array.from({ length: 2 * count }, (_, index) => index + 1).sort(
      (one, other) => timeOf(one) - timeOf(other) || one - other,
    );
    this.#next = new Int32Array(2 * count + 1);
    this.#previous = new Int32Array(2 * count + 1);
    let last = head;
    for (const entry of entries) {
      this.#next[last] = entry;
      this.#previous[entry] = last;
      last = entry;
    }
    this.#next[last] = head;
    this.#previous[head] = last;
  }

  /** Index of the open step that started first; -1 when none is open. */
  get first(): number {
    return this.#follow(head) - 1;
  }

  /** The first end of an open step: the next step must have started by then. */
  get deadline(): number {
    for (let entry = this.#follow(head); entry !== head; entry = this.#follow(entry)) {
      const ended = entry - this.#steps.length - 1;
      if (ended >= 0) return this.#steps[ended]?.endedAt ?? 0;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Appends to `into` the indexes of the steps that may take effect next. */
  candidates(into: number[]): void {
    const count = this.#steps.length;
    let entry = this.#follow(head);
    while (entry !== head && entry <= count) {
      into.push(entry - 1);
      entry = this.#follow(entry);
    }
  }

  /** The step that may take effect next and reads `value`; -1 if there is none. */
  findRead(value: number): number {
    const count = this.#steps.length;
    for (
      let entry = this.#follow(head);
      entry !== head && entry <= count;
      entry = this.#follow(entry)
    ) {
      const step = this.#steps[entry - 1];
      if (step?.act === "read" && step.value === value) return entry - 1;
    }
    return -1;
  }

  take(index: number): void {
    this.#unlink(index + 1);
    this.#unlink(index + 1 + this.#steps.length);
  }

  putBack(index: number): void {
    this.#relink(index + 1 + this.#steps.length);
    this.#relink(index + 1);
  }

  #follow(entry: number): number {
    return this.#next[entry] ?? head;
  }

  #unlink(entry: number): void {
    const before = this.#previous[entry] ?? head;
    const after = this.#next[entry] ?? head;
    this.#next[before] = after;
    this.#previous[after] = before;
  }

  #relink(entry: number): void {
    this.#next[this.#previous[entry] ?? head] = entry;
    this.#previous[this.#next[entry] ?? head] = entry;
  }
}
