/**
 * Adds one listener to an abort signal for all of its callers. Node warns of a leak from the eleventh
 * listener on, and the signal of a whole request often has more callers than that.
 */
export class SharedSignals {
  readonly #callers: WeakMap<AbortSignal, Callers> = new WeakMap();

  /** Calls `onAbort` when the signal fires, unless it is removed before. */
  add(signal: AbortSignal, onAbort: () => void): void {
    let callers = this.#callers.get(signal);
    if (callers === undefined) {
      callers = new Callers();
      this.#callers.set(signal, callers);
    }
    // The listener is removed with the last caller, because it keeps a signal with a timer alive.
    if (callers.listeners.size === 0) signal.addEventListener("abort", callers, { once: true });
    callers.listeners.add(onAbort);
  }

  remove(signal: AbortSignal, onAbort: () => void): void {
    const callers = this.#callers.get(signal);
    if (callers === undefined || !callers.listeners.delete(onAbort)) return;
    if (callers.listeners.size === 0) signal.removeEventListener("abort", callers);
  }
}

class Callers {
  readonly listeners: Set<() => void> = new Set();

  handleEvent(): void {
    const listeners = [...this.listeners];
    this.listeners.clear();
    for (const listener of listeners) listener();
  }
}
