import type { Clock } from "@parsec/core";
import type { RingTable } from "../table/ring-table.ts";

/** Lets requests wait for a table that other nodes have already. */
export class TableWatch {
  readonly #clock: Clock;
  readonly #longestMs: number;
  readonly #waiting: Set<{ readonly epoch: number; readonly done: () => void }> = new Set();
  readonly #next: Set<() => void> = new Set();
  #epoch = 0;

  constructor(clock: Clock, longestMs: number) {
    this.#clock = clock;
    this.#longestMs = longestMs;
  }

  changed(table: RingTable | undefined): void {
    this.#epoch = table?.epoch ?? 0;
    const next = [...this.#next];
    this.#next.clear();
    for (const task of next) task();
    for (const { epoch, done } of [...this.#waiting]) if (epoch <= this.#epoch) done();
  }

  /** Calls `task` once, at the next change; the returned function cancels that. */
  onNext(task: () => void): () => void {
    this.#next.add(task);
    return () => void this.#next.delete(task);
  }

  /** Resolves when the table has reached that epoch, or after the time limit. */
  reach(epoch: number): Promise<void> {
    if (epoch <= this.#epoch) return Promise.resolve();
    return new Promise((resolve) => {
      const waiter = {
        epoch,
        done: () => {
          cancel();
          this.#waiting.delete(waiter);
          resolve();
        },
      };
      const cancel = this.#clock.schedule(this.#longestMs, () => waiter.done());
      this.#waiting.add(waiter);
    });
  }
}
