import { ParsecError, type ParsecErrorCode } from "../errors.ts";
import { wireTag } from "../key-bytes.ts";
import { describe } from "../option-checks.ts";
import type { Peer } from "../peer.ts";
import { type FormerValue, lookUpFormerOwner } from "../rebalance/warm-up.ts";
import { createSemaphore, type Semaphore } from "../semaphore.ts";
import { telemetryChannel } from "../telemetry.ts";
import type { GroupContext } from "./group-context.ts";
import { LoadedValue } from "./loaded-value.ts";
import { type LoadContext, originFailed, type TaggedEntry } from "./origin.ts";
import { OriginBreaker } from "./origin-breaker.ts";
import { type Flight, Singleflight } from "./singleflight.ts";

/** The context of a load, which creates the signal on first use. */
const channel = telemetryChannel("parsec:fetch");
const breakerChannel = telemetryChannel("parsec:origin-breaker");

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
 * The origin loads of one group, one in flight per key. They wait for no peer, except for a short lookup
 * in the memory of a key's former owner during warm-up.
 */
export class OriginLoads<Input, T> {
  readonly #group: GroupContext<Input, T>;
  readonly #flights: Singleflight<LoadedValue<T>>;
  /** Limits loads of keys that other nodes own, so that the loss of an owner does not flood the origin. */
  readonly #fallbackLoads: Semaphore;
  readonly #breaker: OriginBreaker;

  constructor(group: GroupContext<Input, T>) {
    this.#group = group;
    this.#fallbackLoads = createSemaphore(group.policy.maxFallbackLoads);
    const { clock, picker, random } = group.node;
    this.#breaker = new OriginBreaker({
      name: group.name,
      policy: group.policy,
      clock,
      random,
      onChange(state, errorCode) {
        if (!breakerChannel.hasSubscribers) return;
        breakerChannel.publish({ nodeId: picker.selfId, group: group.name, state, errorCode });
      },
    });
    this.#flights = new Singleflight(group.node, (flight, error) =>
      this.#countFailure(flight, error),
    );
  }

  get size(): number {
    return this.#flights.size;
  }

  /** Whether the circuit breaker of the origin is open. */
  get isBreakerOpen(): boolean {
    return this.#breaker.isOpen;
  }

  /**
   * The load in flight for a key, or a new one. While the origin fails: the stale value at once, with a probe in
   * the background when one is due, else the error of the last fetch until then.
   */
  join(key: string, input: () => Uint8Array | undefined): Flight<LoadedValue<T>> {
    if (this.#breaker.isFailing(key)) {
      const stale = this.#staleValue(key);
      if (stale !== undefined) {
        this.refresh(key, input);
        return stale;
      }
    }
    const inFlight = this.#flights.get(key);
    if (inFlight !== undefined) return inFlight;
    return this.#breaker.admits(key) ? this.#start(key, input()) : this.#refused(key);
  }

  /** Refreshes a stale value in the background, unless a refresh is in flight or has just failed. For owners only. */
  refresh(key: string, input: () => Uint8Array | undefined): void {
    if (this.#flights.get(key) !== undefined || !this.#breaker.admits(key)) return;
    this.#start(key, input()).runToEnd();
  }

  /** Lets no caller join the load in flight for an invalidated key, and forgets the error of its last fetch. */
  detach(key: string): void {
    this.#breaker.forget(key);
    this.#flights.detach(key);
  }

  detachAll(): void {
    this.#breaker.forgetKeys();
    this.#flights.detachAll();
  }

  close(error: ParsecError): void {
    this.#flights.cancelAll(error);
  }

  #start(key: string, input: Uint8Array | undefined): Flight<LoadedValue<T>> {
    const { limits, node, policy } = this.#group;
    const flight = key === "" ? this.#flights.startUnshared() : this.#flights.start(key);
    // Nothing to count before the origin fetch starts.
    flight.failureCounted = true;
    const cancelTimer = node.clock.schedule(policy.timeoutMs, () => {
      const timeout = limits.timeout();
      if (this.#serveStale(flight, timeout)) flight.abort(timeout);
      else this.#flights.cancel(flight, timeout);
    });
    flight.onSettled = () => {
      cancelTimer();
      this.#breaker.ended(key);
    };
    if (!this.#owns(key)) this.#loadAsFallback(flight, input);
    else {
      const former = key === "" ? undefined : node.warmUp.formerOwner(key);
      if (former === undefined) this.#load(flight, input);
      else void this.#loadFromFormerOwner(flight, { input, formerOwner: former });
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
    flight.failureCounted = false;
    if (channel.hasSubscribers) this.#publishStart(flight);
    origin
      .load(flight.key, new FlightContext(flight, input))
      .then((bytes) => {
        if (!flight.settled) this.#storeValue(flight, { bytes, input });
      })
      .catch((error: unknown) => {
        if (flight.settled) return;
        const typed = limits.typed(error, "ORIGIN_FAILED");
        if (this.#serveStale(flight, typed)) return;
        this.#flights.end(flight);
        this.#countFailure(flight, typed);
        flight.reject(typed);
      });
  }

  /** Loads a key that another node owns, as soon as the semaphore admits it. */
  #loadAsFallback(flight: Flight<LoadedValue<T>>, input: Uint8Array | undefined): void {
    const semaphore = this.#fallbackLoads;
    const begin = (): void => {
      if (flight.settled) {
        semaphore.release();
        return;
      }
      const cancelTimer = flight.onSettled;
      flight.onSettled = () => {
        cancelTimer?.();
        semaphore.release();
      };
      this.#load(flight, input);
    };
    if (semaphore.tryAcquire()) begin();
    else {
      semaphore.acquire(flight.signal).then(begin, () => {
        // The flight timed out or has no waiters left; it is settled already.
      });
    }
  }

  async #loadFromFormerOwner(
    flight: Flight<LoadedValue<T>>,
    from: { readonly input: Uint8Array | undefined; readonly formerOwner: Peer },
  ): Promise<void> {
    const { name, memory, node, policy } = this.#group;
    const { key } = flight;
    const found = await lookUpFormerOwner(from.formerOwner, {
      group: name,
      key,
      fence: memory.fences.get(key),
      timeoutMs: policy.timeoutMs,
      clock: node.clock,
    });
    if (flight.settled) return;
    if (found === undefined || !this.#useFormerValue(flight, found, from.input)) {
      this.#load(flight, from.input);
    }
  }

  /** Settles the flight with a former owner's value. Returns false when the value must not be used. */
  #useFormerValue(
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
    // An invalidation overtook the value: fetch it from the origin.
    if (flight.detached || sweeps.mayConcern(tags, found.requestedAt)) return false;
    this.#flights.end(flight);
    counters.loadsDeduped++;
    counters.warmLoads++;
    // Not detached, so the request carried this node's present fence, and the former owner knew it.
    memory.fences.adopt(key, found.fence);
    memory.store(key, { value, freshUntil, hot: false, tags });
    flight.resolve(new LoadedValue(value, freshUntil));
    return true;
  }

  #storeValue(
    flight: Flight<LoadedValue<T>>,
    got: { readonly bytes: Uint8Array | undefined; readonly input: Uint8Array | undefined },
  ): void {
    const { counters, limits, memory, node } = this.#group;
    const { bytes, input } = got;
    const { key } = flight;
    limits.checkValue(bytes);
    const freshUntil = node.clock.now() + this.#lifetimeMs(bytes);
    // As fallback owner this node caches the value whatever the hot policy says: it receives all lookups
    // of the key while the owner is down.
    const hot = node.picker.pick(key) !== undefined;
    const tags = this.tagsOf({ key, input, value: bytes });
    this.#flights.end(flight);
    this.#breaker.succeeded(key);
    counters.localLoads++;
    if (channel.hasSubscribers) this.#publishEnd(flight, bytes === undefined ? "absent" : "found");
    if (!flight.detached) {
      if (freshUntil > node.clock.now()) {
        memory.store(key, { value: bytes, freshUntil, hot, tags });
      } else {
        // The previous value is outdated and must not be served as stale.
        memory.drop(key);
      }
    }
    flight.resolve(new LoadedValue(bytes, freshUntil));
  }

  /** Settles a failed load with the stale value, within `staleIfErrorMs`. */
  #serveStale(flight: Flight<LoadedValue<T>>, error: ParsecError): boolean {
    if (flight.detached) return false;
    const { memory, node } = this.#group;
    const copy = memory.copyOnError(flight.key);
    if (copy === undefined) return false;
    this.#flights.end(flight);
    this.#countFailure(flight, error, true);
    flight.resolve(new LoadedValue(copy.value, node.clock.now()));
    return true;
  }

  /** The stale value of a key whose origin fails, within `staleIfErrorMs`. */
  #staleValue(key: string): Flight<LoadedValue<T>> | undefined {
    const { memory, node } = this.#group;
    const copy = memory.copyOnError(key);
    if (copy === undefined) return undefined;
    const flight = this.#flights.startSettled(key);
    flight.resolve(new LoadedValue(copy.value, node.clock.now()));
    return flight;
  }

  #refused(key: string): Flight<LoadedValue<T>> {
    this.#group.counters.refusedLoads++;
    const flight = this.#flights.startSettled(key);
    flight.reject(this.#breaker.refusal(key));
    return flight;
  }

  /** Counts a failed fetch once, in the counters and for the circuit breaker. */
  #countFailure(flight: Flight<LoadedValue<T>>, error: ParsecError, hasStale = false): void {
    if (flight.failureCounted) return;
    this.#group.counters.localLoadErrs++;
    const isOfOrigin = error.code !== "ABORTED" && error.code !== "CLOSED";
    // An invalidation overtook the fetch: its failure is outdated.
    if (isOfOrigin && !flight.detached) this.#breaker.failed(flight.key, error, hasStale);
    if (channel.hasSubscribers) this.#publishEnd(flight, "failed", error.code);
  }

  #publishStart(flight: Flight<LoadedValue<T>>): void {
    const { name: group, node } = this.#group;
    flight.publishedAt = node.clock.now();
    channel.publish({ nodeId: node.picker.selfId, group, key: flight.key, phase: "start" });
  }

  #publishEnd(
    { key, publishedAt }: Flight<LoadedValue<T>>,
    outcome: "found" | "absent" | "failed",
    errorCode?: ParsecErrorCode,
  ): void {
    if (publishedAt < 0) return;
    const { name: group, node } = this.#group;
    const nodeId = node.picker.selfId;
    const durationMs = node.clock.now() - publishedAt;
    channel.publish({ nodeId, group, key, phase: "end", outcome, errorCode, durationMs });
  }

  #lifetimeMs(bytes: Uint8Array | undefined): number {
    const { node, policy } = this.#group;
    if (bytes === undefined) return policy.negativeTtlMs;
    const { ttlMs, ttlJitter } = policy;
    return ttlMs === Number.POSITIVE_INFINITY ? ttlMs : ttlMs * (1 - ttlJitter * node.random());
  }

  /** The tags of an entry. Throws `ORIGIN_FAILED` unless the user's function returns an array of strings. */
  tagsOf(entry: TaggedEntry): readonly string[] {
    const { name, origin } = this.#group;
    let tags: unknown;
    try {
      tags = origin.tags(entry);
    } catch (error) {
      throw originFailed(name, error);
    }
    // A copy, because the user's function may fill the same array for each entry.
    const copy: unknown[] | undefined = Array.isArray(tags) ? [...tags] : undefined;
    if (copy?.every((tag) => typeof tag === "string")) return copy.map(wireTag);
    throw new ParsecError(
      "ORIGIN_FAILED",
      `${name}: tags must return an array of strings, got ${describe(tags)}`,
    );
  }
}
