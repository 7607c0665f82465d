/** Admits a fixed number of callers at once; the others wait in order (FIFO). */
export interface Semaphore {
  /** Takes a place if one is free. */
  tryAcquire(): boolean;
  /** Resolves with a place, which {@link release} gives back. Rejects with the signal's reason when it fires first. */
  acquire(signal: AbortSignal): Promise<void>;
  /** Gives a place back: to the caller that waits longest, if any waits. */
  release(): void;
}

/** A semaphore with `places` places. */
export function createSemaphore(places: number): Semaphore {
  return new FifoSemaphore(places);
}

class FifoSemaphore implements Semaphore {
  #free: number;
  readonly #waiting: Set<() => void> = new Set();

  constructor(places: number) {
    this.#free = places;
  }

  tryAcquire(): boolean {
    if (this.#free < 1) return false;
    this.#free--;
    return true;
  }

  acquire(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.tryAcquire()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting.delete(proceed);
        reject(signal.reason);
      };
      const proceed = (): void => {
        signal.removeEventListener("abort", giveUp);
        resolve();
      };
      this.#waiting.add(proceed);
      signal.addEventListener("abort", giveUp, { once: true });
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
