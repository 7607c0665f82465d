import { abortedError } from "../abort.ts";
import type { Clock, NodeClock } from "../clock.ts";
import { ParsecError } from "../errors.ts";
import { SeededHash } from "../seeded-hash.ts";
import type { SharedSignals } from "../shared-signals.ts";

/** The table that a flight belongs to. */
interface FlightOwner<T> {
  readonly signals: SharedSignals;
  readonly clock: NodeClock;
  /** The last waiter has aborted. */
  abandoned(flight: Flight<T>): void;
}

/** A time limit of one caller that is shorter than that of the load. */
export interface WaitLimit {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly error: () => ParsecError;
}

/**
 * One load in progress, shared by all callers that request its key meanwhile (singleflight). An abort
 * rejects that caller alone; the load is cancelled when its last waiter has aborted (invariant I4).
 */
export class Flight<T> {
  readonly key: string;
  /** Hash of the key, set by the flight table. */
  hash = 0;
  /** Next flight of the same bucket of the flight table. */
  nextInBucket: Flight<T> | undefined = undefined;
  readonly promise: Promise<T>;
  /** Set by an invalidation: the flight still settles its waiters, but its value must not be cached. */
  detached = false;
  /** True once resolved or rejected; a later result of the load is dropped. */
  settled = false;
  /** Set when the counters include its failure already, for a flight that continues with another attempt. */
  failureCounted = false;
  /** When its fetch started, if the start was published on `parsec:fetch`; else -1. */
  publishedAt = -1;
  /** Called once when the flight settles, such as to cancel its timer. */
  onSettled: (() => void) | undefined = undefined;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;
  #abortableWaiters = 0;
  #mustFinish = false;
  /** Whether it keeps the process alive, which it does while a caller waits. */
  #isHeld = false;
  #controller: AbortController | undefined;
  #abortReason: ParsecError | undefined;
  readonly #owner: FlightOwner<T>;

  constructor(key: string, owner: FlightOwner<T>) {
    this.key = key;
    this.#owner = owner;
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Waiters see the rejection. Without waiters it must not end the process as unhandled.
    this.promise.catch(ignore);
  }

  /** Fires when no waiters are left or the load timed out. Created on first use, because a controller is not free. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /**
   * Waits for the flight. `signal` rejects this caller, and no other, with `ABORTED`; `limit` rejects it with
   * an error of its own.
   */
  wait(signal: AbortSignal | undefined, limit?: WaitLimit): Promise<T> {
    if (!this.#isHeld && !this.settled) {
      this.#isHeld = true;
      this.#owner.clock.hold();
    }
    if (signal === undefined && limit === undefined) {
      this.#mustFinish = true;
      return this.promise;
    }
    this.#abortableWaiters++;
    return new Promise<T>((resolve, reject) => {
      const { signals } = this.#owner;
      const stopWaiting = (error: ParsecError): void => {
        stopListening();
        reject(error);
        this.#abortableWaiters--;
        if (this.#abortableWaiters === 0 && !this.#mustFinish && !this.settled)
          this.#owner.abandoned(this);
      };
      const onAbort = (): void => stopWaiting(abortedError(signal));
      const cancelTimer = limit?.clock.schedule(limit.timeoutMs, () => stopWaiting(limit.error()));
      const stopListening = (): void => {
        cancelTimer?.();
        if (signal !== undefined) signals.remove(signal, onAbort);
      };
      if (signal !== undefined) {
        // The load that this call started may have fired the caller's signal already: no event would follow.
        if (signal.aborted) return onAbort();
        signals.add(signal, onAbort);
      }
      this.promise.then(
        (value) => {
          stopListening();
          resolve(value);
        },
        (error: unknown) => {
          stopListening();
          reject(error);
        },
      );
    });
  }

  /** For a background refresh: the load continues without waiters. */
  runToEnd(): void {
    this.#mustFinish = true;
  }

  resolve(value: T): void {
    this.#settle();
    this.#resolve(value);
  }

  reject(error: ParsecError): void {
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    this.settled = true;
    this.onSettled?.();
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#owner.clock.release();
  }

  /** Fires the signal of the load. Waiters are settled by {@link reject}. */
  abort(reason: ParsecError): void {
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }
}

/** The flights of one group by key, which later callers join. */
export class Singleflight<T> implements FlightOwner<T> {
  readonly signals: SharedSignals;
  readonly clock: NodeClock;
  readonly #byKey: FlightTable<T> = new FlightTable();
  /** Flights that an invalidation removed from the table: no caller joins them, but closing must settle them. */
  readonly #detached: Set<Flight<T>> = new Set();
  readonly #onCancel: (flight: Flight<T>, error: ParsecError) => void;

  /** `onCancel` is called for each flight that is cancelled before its load ends. */
  constructor(
    node: { readonly signals: SharedSignals; readonly clock: NodeClock },
    onCancel: (flight: Flight<T>, error: ParsecError) => void,
  ) {
    this.signals = node.signals;
    this.clock = node.clock;
    this.#onCancel = onCancel;
  }

  abandoned(flight: Flight<T>): void {
    this.cancel(flight, new ParsecError("ABORTED", "load cancelled: no waiters left"));
  }

  get size(): number {
    return this.#byKey.size + this.#detached.size;
  }

  get(key: string): Flight<T> | undefined {
    return this.#byKey.get(key);
  }

  start(key: string): Flight<T> {
    const flight = new Flight<T>(key, this);
    this.#byKey.add(flight);
    return flight;
  }

  /** A flight in no table, for a result that is known already. */
  startSettled(key: string): Flight<T> {
    const flight = new Flight<T>(key, this);
    flight.failureCounted = true;
    return flight;
  }

  /** A flight that no other caller joins, for the empty key, which means "do not cache". */
  startUnshared(): Flight<T> {
    const flight = new Flight<T>("", this);
    flight.detached = true;
    this.#detached.add(flight);
    return flight;
  }

  /** Removes the flight from the table, so that the next caller starts another. */
  end(flight: Flight<T>): void {
    if (flight.detached) this.#detached.delete(flight);
    else this.#byKey.remove(flight);
  }

  /** Detaches the flight of an invalidated key: no caller joins it any more, and its value is not cached. */
  detach(key: string): void {
    const flight = this.#byKey.get(key);
    if (flight === undefined) return;
    this.#byKey.remove(flight);
    flight.detached = true;
    this.#detached.add(flight);
  }

  detachAll(): void {
    for (const flight of this.#byKey.all()) this.detach(flight.key);
  }

  /** Ends a flight before its load does: rejects its waiters, then fires the signal of the load. */
  cancel(flight: Flight<T>, error: ParsecError): void {
    this.end(flight);
    this.#onCancel(flight, error);
    flight.reject(error);
    flight.abort(error);
  }

  /** Cancels every flight, for closing. */
  cancelAll(error: ParsecError): void {
    for (const flight of [...this.#byKey.all(), ...this.#detached]) this.cancel(flight, error);
  }
}

/**
 * A hash table of flights. Not a Map: a Map that is filled and emptied continuously allocates a new backing
 * table every few keys, each kept alive by its promoted predecessor, so that under constant loads the
 * young generation grows to its limit.
 */
class FlightTable<T> {
  readonly #hash: SeededHash = new SeededHash();
  #buckets: (Flight<T> | undefined)[] = new Array(16).fill(undefined);
  size = 0;

  get(key: string): Flight<T> | undefined {
    if (this.size === 0) return undefined;
    let flight = this.#buckets[this.#hash.of(key) & (this.#buckets.length - 1)];
    while (flight !== undefined && flight.key !== key) flight = flight.nextInBucket;
    return flight;
  }

  add(flight: Flight<T>): void {
    if (this.size === this.#buckets.length) this.#grow();
    flight.hash = this.#hash.of(flight.key);
    this.#chain(flight);
    this.size++;
  }

  /** Does nothing when the flight is not in the table, such as when another flight has its key. */
  remove(flight: Flight<T>): void {
    const bucket = flight.hash & (this.#buckets.length - 1);
    let before: Flight<T> | undefined;
    let at = this.#buckets[bucket];
    while (at !== undefined && at !== flight) {
      before = at;
      at = at.nextInBucket;
    }
    if (at === undefined) return;
    if (before === undefined) this.#buckets[bucket] = flight.nextInBucket;
    else before.nextInBucket = flight.nextInBucket;
    flight.nextInBucket = undefined;
    this.size--;
  }

  all(): Flight<T>[] {
    const flights: Flight<T>[] = [];
    for (const first of this.#buckets) {
      for (let flight = first; flight !== undefined; flight = flight.nextInBucket)
        flights.push(flight);
    }
    return flights;
  }

  #chain(flight: Flight<T>): void {
    const bucket = flight.hash & (this.#buckets.length - 1);
    flight.nextInBucket = this.#buckets[bucket];
    this.#buckets[bucket] = flight;
  }

  #grow(): void {
    const flights = this.all();
    this.#buckets = new Array(this.#buckets.length * 2).fill(undefined);
    for (const flight of flights) this.#chain(flight);
  }
}

function ignore(): void {}
