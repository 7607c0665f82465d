import { abortedError } from "../abort.ts";
import type { Clock } from "../clock.ts";
import { ParsecError } from "../errors.ts";
import { hashKey } from "../key-hash.ts";
import type { SharedSignals } from "../shared-signals.ts";

/** Where a flight belongs. */
interface FlightHome<T> {
  readonly signals: SharedSignals;
  /** The last who waited has left. */
  abandoned(flight: Flight<T>): void;
}

/** How long one caller waits at most, where that is less than the load may take. */
export interface WaitLimit {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly error: () => ParsecError;
}

/**
 * One load in progress, shared by everyone who asks for its key meanwhile (singleflight). The load
 * belongs to all of its waiters: one of them giving up concerns nobody else, and the load is
 * aborted when the last has left (invariant I4).
 */
export class Flight<T> {
  readonly key: string;
  /** For the table: the key's hash and the next flight of the same bucket. */
  readonly hash: number;
  nextInBucket: Flight<T> | undefined = undefined;
  readonly promise: Promise<T>;
  /** Set by an invalidation: the flight still answers its waiters, but its value may not be stored. */
  detached = false;
  /** True once it has ended, in whatever way; what its load brings afterwards is dropped. */
  settled = false;
  /** Set once its failure is in the counters, for a flight that goes on after that. */
  counted = false;
  /** Called once when the flight ends, such as to stop its timer. */
  onSettled: (() => void) | undefined = undefined;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;
  #leaving = 0;
  #staying = false;
  #controller: AbortController | undefined;
  #abortReason: ParsecError | undefined;
  readonly #home: FlightHome<T>;

  constructor(key: string, home: FlightHome<T>) {
    this.key = key;
    this.hash = hashKey(key);
    this.#home = home;
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever waits sees the rejection; a flight all of whose waiters left must not end the process.
    this.promise.catch(ignore);
  }

  /** Fires when nobody waits any more, or the load has taken too long. Made on first use: it is not free. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /**
   * Waits for the flight. `signal` lets this caller, and no other, give up with `ABORTED`; `limit` ends
   * this caller's wait with its own error.
   */
  wait(signal: AbortSignal | undefined, limit?: WaitLimit): Promise<T> {
    if (signal === undefined && limit === undefined) {
      this.#staying = true;
      return this.promise;
    }
    this.#leaving++;
    return new Promise<T>((resolve, reject) => {
      const { signals } = this.#home;
      const leave = (error: ParsecError): void => {
        stay();
        reject(error);
        this.#leaving--;
        if (this.#leaving === 0 && !this.#staying && !this.settled) this.#home.abandoned(this);
      };
      const abort = (): void => leave(abortedError(signal));
      const cancelTimer = limit?.clock.schedule(limit.timeoutMs, () => leave(limit.error()));
      const stay = (): void => {
        cancelTimer?.();
        if (signal !== undefined) signals.remove(signal, abort);
      };
      if (signal !== undefined) {
        // The load that this call began may have aborted its own caller: no event would follow.
        if (signal.aborted) return abort();
        signals.add(signal, abort);
      }
      this.promise.then(
        (value) => {
          stay();
          resolve(value);
        },
        (error: unknown) => {
          stay();
          reject(error);
        },
      );
    });
  }

  /** A refresh in the background: runs to its end although nobody waits. */
  keep(): void {
    this.#staying = true;
  }

  resolve(value: T): void {
    this.settled = true;
    this.onSettled?.();
    this.#resolve(value);
  }

  reject(error: ParsecError): void {
    this.settled = true;
    this.onSettled?.();
    this.#reject(error);
  }

  /** Tells the load to stop; its waiters are told by {@link reject}. */
  abort(reason: ParsecError): void {
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }
}

/** The flights of a group that others may join, by key. */
export class Singleflight<T> implements FlightHome<T> {
  readonly signals: SharedSignals;
  readonly #byKey: FlightTable<T> = new FlightTable();
  /** Those an invalidation took off the table: nobody joins them, but closing must still end them. */
  readonly #detached: Set<Flight<T>> = new Set();
  readonly #onCutShort: (flight: Flight<T>) => void;

  /** `onCutShort` hears of each flight that ends before its load does. */
  constructor(signals: SharedSignals, onCutShort: (flight: Flight<T>) => void) {
    this.signals = signals;
    this.#onCutShort = onCutShort;
  }

  abandoned(flight: Flight<T>): void {
    this.cutShort(flight, new ParsecError("ABORTED", "load cancelled: no waiters left"));
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

  /** A flight that is shared with nobody, because its key says "do not cache". */
  startAlone(): Flight<T> {
    const flight = new Flight<T>("", this);
    flight.detached = true;
    this.#detached.add(flight);
    return flight;
  }

  /** Takes the flight off the table, so that the next caller starts another. */
  end(flight: Flight<T>): void {
    if (flight.detached) this.#detached.delete(flight);
    else this.#byKey.remove(flight);
  }

  /** Fences off the flight of a key: from now on nobody joins it, and its value is not stored. */
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

  /** Ends a flight although its load has not: tells the waiters, then the load. */
  cutShort(flight: Flight<T>, error: ParsecError): void {
    this.end(flight);
    this.#onCutShort(flight);
    flight.reject(error);
    flight.abort(error);
  }

  /** Ends every flight with an error, for closing. */
  cutAllShort(error: ParsecError): void {
    for (const flight of [...this.#byKey.all(), ...this.#detached]) this.cutShort(flight, error);
  }
}

/**
 * A hash table of flights. Not a Map: one that is filled and emptied all the time makes a new backing
 * table every few keys, each kept alive by its promoted predecessor, and the young generation grows
 * to its limit on a node that does nothing but load.
 */
class FlightTable<T> {
  #buckets: (Flight<T> | undefined)[] = new Array(64).fill(undefined);
  size = 0;

  get(key: string): Flight<T> | undefined {
    if (this.size === 0) return undefined;
    let flight = this.#buckets[hashKey(key) & (this.#buckets.length - 1)];
    while (flight !== undefined && flight.key !== key) flight = flight.nextInBucket;
    return flight;
  }

  add(flight: Flight<T>): void {
    if (this.size === this.#buckets.length) this.#grow();
    this.#chain(flight);
    this.size++;
  }

  /** Nothing happens when it is not there, such as because another has its key by now. */
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
