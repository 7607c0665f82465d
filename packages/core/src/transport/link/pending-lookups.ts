import { abortedError } from "../../abort.ts";
import type { ParsecError } from "../../errors.ts";
import type { PeerAnswer, PeerLookup } from "../../peer.ts";

/** The frame in which a lookup waits for its answer. */
export interface LookupSlots {
  /** Empties the slot of a lookup that was aborted or settled elsewhere. */
  vacate(index: number): void;
}

/** One caller's lookup. Settles once; later results are ignored. */
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

  /** Sets the frame and slot that will receive the answer. A previous slot keeps waiting as well. */
  placeIn(slots: LookupSlots, index: number): void {
    this.#slots = slots;
    this.#index = index;
  }

  /** Rejects with `ABORTED` when the caller's signal fires. */
  watch(signal: AbortSignal): void {
    this.#signal = signal;
    // The object itself is the listener: a closure would cost more than the rest of a lookup.
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

/** FIFO queue of lookups to send. */
export class PendingQueue {
  #items: PendingLookup[] = [];
  #head = 0;

  /** Length, including lookups that were aborted and not removed yet. */
  get size(): number {
    return this.#items.length - this.#head;
  }

  push(pending: PendingLookup): void {
    this.#items.push(pending);
  }

  /**
   * Passes the lookups to `take`, which returns the index of the first one that it did not take.
   */
  take(take: (items: readonly PendingLookup[], start: number) => number): void {
    this.#head = take(this.#items, this.#head);
    if (this.#head < this.#items.length) return;
    this.#items = [];
    this.#head = 0;
  }

  /** Empties the queue and returns its lookups. */
  takeAll(): readonly PendingLookup[] {
    const all = this.#items.slice(this.#head);
    this.#items = [];
    this.#head = 0;
    return all;
  }

  dropSettled(): void {
    this.#items = this.takeAll().filter((pending) => !pending.settled);
  }

  /** Rejects lookups whose deadline has passed. Returns the earliest remaining deadline. */
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
