import { SharedSignals } from "./shared-signals.ts";

/** Semaphore with FIFO waiters: admits a fixed number of holders at once. */
export interface Semaphore {
  /** Acquires a permit if one is free. */
  tryAcquire(): boolean;
  /** Resolves once a permit is acquired; {@link release} returns it. Rejects with the signal's reason when that fires first. */
  acquire(signal?: AbortSignal): Promise<void>;
  /** Returns a permit: to the longest waiter, if there is one. */
  release(): void;
}

/** Creates a {@link Semaphore} with `permits` permits. */
export function createSemaphore(permits: number): Semaphore {
  return new FifoSemaphore(permits);
}

class FifoSemaphore implements Semaphore {
  #free: number;
  readonly #waiting: Set<() => void> = new Set();
  /** Many waiters may share a signal, such as that of a node's end. */
  readonly #signals: SharedSignals = new SharedSignals();

  constructor(permits: number) {
    this.#free = permits;
  }

  tryAcquire(): boolean {
    if (this.#free < 1) return false;
    this.#free--;
    return true;
  }

  acquire(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.tryAcquire()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(proceed);
        reject(signal?.reason);
      };
      const proceed = (): void => {
        if (signal !== undefined) this.#signals.remove(signal, onAbort);
        resolve();
      };
      this.#waiting.add(proceed);
      if (signal !== undefined) this.#signals.add(signal, onAbort);
    });
  }

  release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
