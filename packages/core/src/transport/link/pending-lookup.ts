import { ParsecError } from "../../errors.ts";
import type { PeerAnswer, PeerLookup } from "../../peer.ts";

/** Where a lookup waits for its answer: a frame under way. */
export interface LookupSlots {
  /** Empties a slot whose lookup was settled elsewhere or given up. */
  vacate(index: number): void;
}

/** One caller's lookup, from the call to its end. Settles once; whatever comes later is ignored. */
export class PendingLookup {
  readonly lookup: PeerLookup;
  readonly deadline: number;
  readonly promise: Promise<PeerAnswer>;
  #resolve!: (answer: PeerAnswer) => void;
  #reject!: (error: ParsecError) => void;
  #slots: LookupSlots | undefined = undefined;
  #index = 0;
  #signal: AbortSignal | undefined = undefined;
  #settled = false;

  constructor(lookup: PeerLookup, deadline: number) {
    this.lookup = lookup;
    this.deadline = deadline;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** Notes where the answer will come in. The slot before, if any, keeps waiting too. */
  placeIn(slots: LookupSlots, index: number): void {
    this.#slots = slots;
    this.#index = index;
  }

  /** Rejects with `ABORTED` when the caller's signal fires. */
  watch(signal: AbortSignal): void {
    this.#signal = signal;
    // The object itself listens: a closure and its listener cost more than the rest of a lookup.
    signal.addEventListener("abort", this, { once: true });
  }

  handleEvent(): void {
    this.reject(abortedError(this.#signal));
  }

  resolve(answer: PeerAnswer): void {
    if (this.#settle()) this.#resolve(answer);
  }

  reject(error: ParsecError): void {
    if (this.#settle()) this.#reject(error);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    if (this.#signal !== undefined) this.#signal.removeEventListener("abort", this);
    this.#slots?.vacate(this.#index);
    return true;
  }
}

export function abortedError(signal: AbortSignal | undefined): ParsecError {
  return new ParsecError("ABORTED", "the caller gave the lookup up", { cause: signal?.reason });
}
