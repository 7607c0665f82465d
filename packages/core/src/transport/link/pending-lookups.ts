import { abortedError } from "../../abort.ts";
import type { ParsecError } from "../../errors.ts";
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

/** Lookups that wait for a frame to carry them, in the order they came. */
export class PendingQueue {
  #items: PendingLookup[] = [];
  #head = 0;

  /** How many there are, counting those that gave up since the last look. */
  get size(): number {
    return this.#items.length - this.#head;
  }

  push(pending: PendingLookup): void {
    this.#items.push(pending);
  }

  /**
   * Hands the lookups to `take`, which returns how far it came: the index of the first it left. Stops
   * when none are left.
   */
  take(take: (items: readonly PendingLookup[], start: number) => number): void {
    this.#head = take(this.#items, this.#head);
    if (this.#head < this.#items.length) return;
    this.#items = [];
    this.#head = 0;
  }

  /** Empties the queue and returns what was in it. */
  takeAll(): readonly PendingLookup[] {
    const all = this.#items.slice(this.#head);
    this.#items = [];
    this.#head = 0;
    return all;
  }

  dropSettled(): void {
    this.#items = this.takeAll().filter((pending) => !pending.settled);
  }

  /** Rejects what is due by `now` and returns when the next one is. */
  expire(now: number, late: () => ParsecError): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (let index = this.#head; index < this.#items.length; index++) {
      const pending = this.#items[index] as PendingLookup;
      if (pending.deadline <= now) pending.reject(late());
      else earliest = Math.min(earliest, pending.deadline);
    }
    this.dropSettled();
    return earliest;
  }
}
