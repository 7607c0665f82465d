/**
 * Lets many callers give up by one signal with a single listener on it. From the eleventh listener on
 * Node warns of a leak, and a signal that belongs to a whole request easily has more callers.
 */
export class SharedSignals {
  readonly #callers: WeakMap<AbortSignal, Callers> = new WeakMap();

  /** Calls `leave` when the signal fires, unless it is removed before. */
  add(signal: AbortSignal, leave: () => void): void {
    let callers = this.#callers.get(signal);
    if (callers === undefined) {
      callers = new Callers();
      this.#callers.set(signal, callers);
    }
    // Not left on for the next caller: a listener keeps a signal with a timer alive.
    if (callers.leaves.size === 0) signal.addEventListener("abort", callers, { once: true });
    callers.leaves.add(leave);
  }

  remove(signal: AbortSignal, leave: () => void): void {
    const callers = this.#callers.get(signal);
    if (callers === undefined || !callers.leaves.delete(leave)) return;
    if (callers.leaves.size === 0) signal.removeEventListener("abort", callers);
  }
}

class Callers {
  readonly leaves: Set<() => void> = new Set();

  handleEvent(): void {
    const leaves = [...this.leaves];
    this.leaves.clear();
    for (const leave of leaves) leave();
  }
}
