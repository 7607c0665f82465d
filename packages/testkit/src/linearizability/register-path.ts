import { OpenSteps } from "./open-steps.ts";
import { absentValue, type RegisterProblem } from "./register-problem.ts";

/** The next step to take effect, after a spare write of `spare` when it needs one. */
export interface RegisterChoice {
  readonly step: number;
  readonly spare: number | undefined;
}

/** A point of a path for `rewind`. */
export interface PathMark {
  readonly trailLength: number;
  readonly state: number;
  readonly highest: number;
}

/**
 * The first part of an order: the steps that have taken effect, the value of the register after them, and
 * the choices for the next step. Choices that another choice makes redundant are omitted:
 *
 * - A read that may come next and matches the register comes next: it changes nothing.
 * - Of two writes of the same value that may come next, the one that ends first comes first.
 * - A spare write comes right before the first step that needs it, or never.
 * - A value with open reads is overwritten only if another write of it is left.
 */
export class RegisterPath {
  readonly #problem: RegisterProblem;
  readonly #open: OpenSteps;
  readonly #taken: Uint8Array;
  readonly #readsLeft: Int32Array;
  readonly #writesLeft: Int32Array;
  readonly #sparesUsed: Int32Array;
  /** Values that have spare writes. */
  readonly #spareValues: readonly number[];
  #takesLeft = 0;
  /** Steps taken, and spare writes used as the complement of their value, in order. */
  readonly #trail: number[] = [];
  #state = absentValue;
  #highest = -1;

  constructor(problem: RegisterProblem) {
    this.#problem = problem;
    this.#open = new OpenSteps(problem.steps);
    this.#taken = new Uint8Array(problem.steps.length);
    this.#readsLeft = new Int32Array(problem.valueCount);
    this.#writesLeft = new Int32Array(problem.valueCount);
    this.#sparesUsed = new Int32Array(problem.valueCount);
    this.#spareValues = problem.spares.flatMap((starts, value) => (starts.length > 0 ? value : []));
    for (let index = 0; index < problem.steps.length; index++) this.#count(index, 1);
    this.#takeReads();
  }

  /** Whether every step is in the order. */
  get isComplete(): boolean {
    return this.#open.first < 0;
  }

  mark(): PathMark {
    return { trailLength: this.#trail.length, state: this.#state, highest: this.#highest };
  }

  rewind(to: PathMark): void {
    while (this.#trail.length > to.trailLength) {
      const last = this.#trail.pop() ?? 0;
      if (last < 0) {
        this.#sparesUsed[~last] = (this.#sparesUsed[~last] ?? 0) - 1;
      } else {
        this.#open.putBack(last);
        this.#taken[last] = 0;
        this.#count(last, 1);
      }
    }
    this.#state = to.state;
    this.#highest = to.highest;
  }

  /** Applies the choice, and all reads that match the register after it. */
  apply({ step, spare }: RegisterChoice): void {
    if (spare !== undefined) {
      this.#sparesUsed[spare] = (this.#sparesUsed[spare] ?? 0) + 1;
      this.#trail.push(~spare);
      this.#state = spare;
    }
    this.#take(step);
    this.#takeReads();
  }

  /** Choices for the next step, sorted by deadline; empty at a dead end. */
  choices(): RegisterChoice[] {
    const deadline = this.#open.deadline;
    const candidates: number[] = [];
    this.#open.candidates(candidates);
    candidates.sort((one, other) => this.#endOf(one) - this.#endOf(other));

    const direct: RegisterChoice[] = [];
    const withSpare: RegisterChoice[] = [];
    const written = new Set<number>();
    const lent = new Set<number>();
    let hasTake = false;
    for (const step of candidates) {
      const { act, value } = this.#problem.steps[step] ?? { act: "read", value: absentValue };
      if (act === "write") {
        if (written.has(value) || !this.#mayBecome(value)) continue;
        written.add(value);
        direct.push({ step, spare: undefined });
      } else if (act === "read") {
        if (lent.has(value) || !this.#hasSpare(value, deadline) || !this.#mayBecome(value))
          continue;
        lent.add(value);
        withSpare.push({ step, spare: value });
      } else if (!hasTake) {
        hasTake = true;
        if (this.#state !== absentValue) {
          if (this.#mayBecome(absentValue)) direct.push({ step, spare: undefined });
          continue;
        }
        for (const spare of this.#spareValues) {
          if (spare === absentValue || !this.#hasSpare(spare, deadline)) continue;
          if (this.#mayLose(spare, 1)) withSpare.push({ step, spare });
        }
      }
    }
    return direct.concat(withSpare);
  }

  /** A key that is equal for two paths with the same steps and the same value of the register. */
  situation(): string {
    const first = this.#open.first;
    let text = `${first},${this.#state},`;
    for (let index = first; index <= this.#highest; index += 16) {
      let bits = 0;
      for (let bit = 0; bit < 16; bit++) bits |= (this.#taken[index + bit] ?? 0) << bit;
      text += String.fromCharCode(bits);
    }
    return text;
  }

  /** Number of spare writes used for each value; 0 for values that no open step needs. */
  sparesUsed(): number[] {
    return this.#spareValues.map((value) => {
      const matters = this.#takesLeft > 0 || (this.#readsLeft[value] ?? 0) > 0;
      return matters ? (this.#sparesUsed[value] ?? 0) : 0;
    });
  }

  #endOf(step: number): number {
    return this.#problem.steps[step]?.endedAt ?? 0;
  }

  #hasSpare(value: number, deadline: number): boolean {
    const start = this.#problem.spares[value]?.[this.#sparesUsed[value] ?? 0];
    return start !== undefined && start <= deadline;
  }

  #mayBecome(value: number): boolean {
    return value === this.#state || this.#mayLose(this.#state, 0);
  }

  /** Whether `value` may be overwritten: no open read needs it, or more than `lent` writes of it are left. */
  #mayLose(value: number, lent: number): boolean {
    if (this.#readsLeft[value] === 0 || (this.#writesLeft[value] ?? 0) > 0) return true;
    return (this.#problem.spares[value]?.length ?? 0) - (this.#sparesUsed[value] ?? 0) > lent;
  }

  #takeReads(): void {
    for (;;) {
      const read = this.#open.findRead(this.#state);
      if (read < 0) return;
      this.#take(read);
    }
  }

  #take(index: number): void {
    const step = this.#problem.steps[index];
    if (step !== undefined && step.act !== "read") this.#state = step.value;
    this.#open.take(index);
    this.#taken[index] = 1;
    this.#count(index, -1);
    this.#trail.push(index);
    if (index > this.#highest) this.#highest = index;
  }

  #count(index: number, by: 1 | -1): void {
    const step = this.#problem.steps[index];
    if (step === undefined) return;
    const left = step.act === "read" ? this.#readsLeft : this.#writesLeft;
    left[step.value] = (left[step.value] ?? 0) + by;
    if (step.act === "take") this.#takesLeft += by;
  }
}
