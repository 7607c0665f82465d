import { ParsecError } from "../errors.ts";
import type { Peer } from "../peer.ts";
import { askFormerOwner, type FormerValue } from "../rebalance/warm-up.ts";
import { createSemaphore, type Semaphore } from "../semaphore.ts";
import type { GroupContext } from "./group-context.ts";
import { LoadedValue } from "./loaded-value.ts";
import { type LoadContext, originFailed, type TaggedEntry } from "./origin.ts";
import { RefreshBackoff } from "./refresh-backoff.ts";
import { type Flight, Singleflight } from "./singleflight.ts";

class FlightContext implements LoadContext {
  readonly input: Uint8Array | undefined;
  readonly #flight: { readonly signal: AbortSignal };

  constructor(flight: { readonly signal: AbortSignal }, input: Uint8Array | undefined) {
    this.#flight = flight;
    this.input = input;
  }

  get signal(): AbortSignal {
    return this.#flight.signal;
  }
}

/**
 * The loads of one group that end at the origin: one in flight per key. They wait for no peer, but
 * for a short look into the memory of a key's former owner while this node is new.
 */
export class OriginLoads<Input, T> {
  readonly #group: GroupContext<Input, T>;
  readonly #flights: Singleflight<LoadedValue<T>>;
  /** For what other nodes own, so that the end of one is not felt at the origin all at once. */
  readonly #foreign: Semaphore;
  readonly #pauses: RefreshBackoff;

  constructor(group: GroupContext<Input, T>) {
    this.#group = group;
    this.#foreign = createSemaphore(group.policy.maxFallbackLoads);
    this.#pauses = new RefreshBackoff(group.node.clock, group.policy.staleWhileRevalidateMs);
    this.#flights = new Singleflight(group.node.signals, (flight) => this.#countFailure(flight));
  }

  get size(): number {
    return this.#flights.size;
  }

  /** The fetch under way for a key, or a new one. */
  join(key: string, input: () => Uint8Array | undefined): Flight<LoadedValue<T>> {
    return this.#flights.get(key) ?? this.#start(key, input());
  }

  /** Renews a stale value while it is being served. Only owners have stale values. */
  refresh(key: string, input: () => Uint8Array | undefined): void {
    if (this.#flights.get(key) !== undefined || !this.#pauses.isOver(key)) return;
    this.#start(key, input()).keep();
  }

  detach(key: string): void {
    this.#flights.detach(key);
  }

  detachAll(): void {
    this.#flights.detachAll();
  }

  close(error: ParsecError): void {
    this.#flights.cutAllShort(error);
  }

  #start(key: string, input: Uint8Array | undefined): Flight<LoadedValue<T>> {
    const { limits, node, policy } = this.#group;
    const flight = key === "" ? this.#flights.startAlone() : this.#flights.start(key);
    // Until the origin is asked there is no fetch to count.
    flight.counted = true;
    flight.onSettled = node.clock.schedule(policy.timeoutMs, () => {
      if (this.#serveStale(flight)) flight.abort(limits.timeout());
      else this.#flights.cutShort(flight, limits.timeout());
    });
    if (!this.#owns(key)) this.#loadInTurn(flight, input);
    else {
      const former = key === "" ? undefined : node.warmUp.formerOwner(key);
      if (former === undefined) this.#load(flight, input);
      else void this.#loadWarm(flight, { input, former });
    }
    return flight;
  }

  #owns(key: string): boolean {
    const { node, origin } = this.#group;
    const hasOwner = key !== "" || origin.emptyKeyHasOwner;
    return !hasOwner || node.picker.pick(key) === undefined;
  }

  #load(flight: Flight<LoadedValue<T>>, input: Uint8Array | undefined): void {
    const { counters, limits, origin } = this.#group;
    counters.loadsDeduped++;
    flight.counted = false;
    origin
      .load(flight.key, new FlightContext(flight, input))
      .then((bytes) => {
        if (!flight.settled) this.#takeValue(flight, { bytes, input });
      })
      .catch((error: unknown) => {
        if (flight.settled || this.#serveStale(flight)) return;
        this.#flights.end(flight);
        this.#countFailure(flight);
        flight.reject(limits.typed(error, "ORIGIN_FAILED"));
      });
  }

  /** Loads what another node owns once there is a place for it. */
  #loadInTurn(flight: Flight<LoadedValue<T>>, input: Uint8Array | undefined): void {
    const gate = this.#foreign;
    const begin = (): void => {
      if (flight.settled) {
        gate.release();
        return;
      }
      const cancelTimer = flight.onSettled;
      flight.onSettled = () => {
        cancelTimer?.();
        gate.release();
      };
      this.#load(flight, input);
    };
    if (gate.tryAcquire()) begin();
    else {
      gate.acquire(flight.signal).then(begin, () => {
        // Its time is over, or everybody left: whoever ended the flight has told its waiters.
      });
    }
  }

  async #loadWarm(
    flight: Flight<LoadedValue<T>>,
    from: { readonly input: Uint8Array | undefined; readonly former: Peer },
  ): Promise<void> {
    const { name, memory, node, policy } = this.#group;
    const { key } = flight;
    const found = await askFormerOwner(from.former, {
      group: name,
      key,
      fence: memory.fences.get(key),
      timeoutMs: policy.timeoutMs,
      clock: node.clock,
    });
    if (flight.settled) return;
    if (found === undefined || !this.#takeWarm(flight, found, from.input)) {
      this.#load(flight, from.input);
    }
  }

  /** Ends the flight with what a former owner had, unless something speaks against it. */
  #takeWarm(
    flight: Flight<LoadedValue<T>>,
    found: FormerValue,
    input: Uint8Array | undefined,
  ): boolean {
    const { counters, limits, memory, sweeps } = this.#group;
    const { key } = flight;
    const { value, freshUntil } = found;
    let tags: readonly string[];
    try {
      limits.checkValue(value);
      tags = this.tagsOf({ key, input, value });
    } catch {
      return false;
    }
    if (flight.settled) return true;
    // What an invalidation overtook on the way is fetched anew.
    if (flight.detached || sweeps.mayConcern(tags, found.askedAt)) return false;
    this.#flights.end(flight);
    counters.loadsDeduped++;
    counters.warmLoads++;
    // Not detached, so the other was asked with what this node stands at, and knew it.
    memory.fences.adopt(key, found.fence);
    memory.store(key, { value, freshUntil, hot: false, tags });
    flight.resolve(new LoadedValue(value, freshUntil));
    return true;
  }

  #takeValue(
    flight: Flight<LoadedValue<T>>,
    got: { readonly bytes: Uint8Array | undefined; readonly input: Uint8Array | undefined },
  ): void {
    const { counters, limits, memory, node } = this.#group;
    const { bytes, input } = got;
    const { key } = flight;
    limits.checkValue(bytes);
    const freshUntil = node.clock.now() + this.#lifetimeMs(bytes);
    // In the place of an owner out of reach it is kept whatever the hot policy says: for as long as
    // the owner is away this node is asked in its stead.
    const hot = node.picker.pick(key) !== undefined;
    const tags = this.tagsOf({ key, input, value: bytes });
    this.#flights.end(flight);
    this.#pauses.succeeded(key);
    counters.localLoads++;
    if (!flight.detached) {
      if (freshUntil > node.clock.now()) {
        memory.store(key, { value: bytes, freshUntil, hot, tags });
      } else {
        // What was there before is out of date, and must not be served as stale any more.
        memory.drop(key);
      }
    }
    flight.resolve(new LoadedValue(bytes, freshUntil));
  }

  /** Ends a failed fetch with the old value if `staleIfErrorMs` allows it. */
  #serveStale(flight: Flight<LoadedValue<T>>): boolean {
    if (flight.detached) return false;
    const { memory, node } = this.#group;
    const copy = memory.copyOnError(flight.key);
    if (copy === undefined) return false;
    this.#pauses.failed(flight.key);
    this.#flights.end(flight);
    this.#countFailure(flight);
    flight.resolve(new LoadedValue(copy.value, node.clock.now()));
    return true;
  }

  #countFailure(flight: Flight<LoadedValue<T>>): void {
    if (!flight.counted) this.#group.counters.localLoadErrs++;
  }

  #lifetimeMs(bytes: Uint8Array | undefined): number {
    const { node, policy } = this.#group;
    if (bytes === undefined) return policy.negativeTtlMs;
    const { ttlMs, ttlJitter } = policy;
    return ttlMs === Number.POSITIVE_INFINITY ? ttlMs : ttlMs * (1 - ttlJitter * node.random());
  }

  /** Whatever the user's function does, what is stored has tags that can be counted and found. */
  tagsOf(entry: TaggedEntry): readonly string[] {
    const { name, origin } = this.#group;
    let tags: unknown;
    try {
      tags = origin.tags(entry);
    } catch (error) {
      throw originFailed(name, error);
    }
    if (Array.isArray(tags) && tags.every((tag) => typeof tag === "string")) return tags;
    throw new ParsecError("ORIGIN_FAILED", `tags of ${name} must return an array of text`);
  }
}
