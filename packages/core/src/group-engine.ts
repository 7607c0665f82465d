import type { Clock } from "./clock.ts";
import { isParsecError, ParsecError, type ParsecErrorCode } from "./errors.ts";
import { newFence } from "./fences.ts";
import { abortError, type Flight, Flights } from "./flight.ts";
import { type Decoder, GroupMemory } from "./group-memory.ts";
import type { ResolvedPolicy } from "./group-options.ts";
import { GroupCounters, type GroupStats } from "./group-stats.ts";
import { type InvalidationResult, invalidateEverywhere } from "./invalidation.ts";
import { canonicalKey, keyToBytes } from "./key-bytes.ts";
import { hashKey } from "./key-hash.ts";
import { Loaded } from "./loaded.ts";
import { describe, signalOption } from "./option-checks.ts";
import { originFailed } from "./origin-error.ts";
import type {
  Peer,
  PeerAnswer,
  PeerCallOptions,
  PeerInvalidation,
  PeerInvalidationTarget,
  PeerLookup,
  PeerPicker,
} from "./peer.ts";
import { RequestRate } from "./request-rate.ts";
import { absentTag } from "./tag-index.ts";

/** What a load gets beside its key. The signal is made when it is first read, because most loads never do. */
export interface LoadContext {
  readonly input: Uint8Array | undefined;
  readonly signal: AbortSignal;
}

/** What a group asks of its origin. */
export interface Origin<Input, T> extends Decoder<T> {
  /** Whether `""`, which is never cached, is asked of its owner all the same (a group) or not (a data source). */
  readonly emptyKeyHasOwner: boolean;
  /** What travels to the owner beside the key; undefined for plain groups. */
  encodeInput(input: Input): Uint8Array | undefined;
  /** Fetches the value of a key. Rejects with a `ParsecError`, `ORIGIN_FAILED` for whatever the user's code threw. */
  load(key: string, context: LoadContext): Promise<Uint8Array | undefined>;
  /** Labels by which the entry may be invalidated. */
  tags(entry: {
    readonly key: string;
    readonly input: Uint8Array | undefined;
    readonly value: Uint8Array | undefined;
  }): readonly string[];
}

/** What a node brings to each of its groups. */
export interface NodeContext {
  readonly picker: PeerPicker;
  readonly clock: Clock;
  readonly random: () => number;
}

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
 * One group on one node: memory, then the flight, then the owner or the origin, and back. Two kinds
 * of flights, so that a peer's request waits for the origin only (invariant I6).
 */
export class GroupEngine<Input, T> {
  readonly name: string;
  readonly #policy: ResolvedPolicy;
  readonly #origin: Origin<Input, T>;
  readonly #picker: PeerPicker;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #counters: GroupCounters = new GroupCounters();
  readonly #memory: GroupMemory<T>;
  readonly #rate: RequestRate;
  readonly #fetches: Flights<Loaded<T>> = new Flights(() => this.#counters.localLoadErrs++);
  readonly #questions: Flights<Loaded<T>> = new Flights((flight) => {
    if (!flight.counted) this.#counters.peerErrors++;
  });
  #closed = false;

  constructor(
    name: string,
    parts: {
      readonly policy: ResolvedPolicy;
      readonly origin: Origin<Input, T>;
      readonly node: NodeContext;
    },
  ) {
    this.name = name;
    this.#policy = parts.policy;
    this.#origin = parts.origin;
    this.#picker = parts.node.picker;
    this.#clock = parts.node.clock;
    this.#random = parts.node.random;
    this.#rate = new RequestRate(this.#clock);
    this.#memory = new GroupMemory({
      policy: this.#policy,
      clock: this.#clock,
      decoder: this.#origin,
      counters: this.#counters,
    });
  }

  /** Memory, else the one load for the key. Rejects with a `ParsecError`; never throws. */
  get(key: string, input: Input, signal?: AbortSignal): Promise<T | undefined> {
    // A caller without a signal who hits must not pay for any of the other cases.
    if (signal === undefined) return this.#memory.hit(key) ?? this.#miss(key, input, undefined);
    if (signal?.aborted) return Promise.reject(abortError(signal));
    return this.#memory.hit(key) ?? this.#miss(key, input, signal ?? undefined);
  }

  /** What is fresh in memory; asks nobody. */
  peek(key: string): T | undefined {
    const value = this.#memory.peek(key);
    if (value !== undefined || typeof key !== "string") return value;
    const canonical = canonicalKey(key);
    return canonical === key ? undefined : this.#memory.peek(canonical);
  }

  /** Answers a peer: from memory at once, else by a flight that asks the origin and no other peer. */
  answer(lookup: PeerLookup, options?: PeerCallOptions): PeerAnswer | Promise<PeerAnswer> {
    this.#refuseIfClosed();
    this.#checkKey(lookup.key);
    const { key, fence } = lookup;
    this.#counters.serverRequests++;
    const standing = this.#catchUp(key, fence);
    const copy = key === "" ? undefined : this.#memory.copyForPeer(key);
    const ratePerMinute = this.#countRequest(key);
    if (copy !== undefined) {
      if (copy.remainingMs <= 0) this.#refresh(key, lookup.input);
      const ttlMs = Math.max(0, copy.remainingMs);
      return { value: copy.value, ttlMs, fence: standing, ratePerMinute };
    }
    this.#counters.loads++;
    const flight = this.#joinFetch(key, lookup.input);
    return flight.wait(options?.signal).then((loaded) => ({
      value: loaded.bytes,
      // What an invalidation overtook may be answered, but not kept by anyone.
      ttlMs: flight.detached ? 0 : Math.max(0, loaded.freshUntil - this.#clock.now()),
      fence: standing,
      ratePerMinute,
    }));
  }

  /** Applies what a peer (or this node) invalidates. */
  apply(invalidation: PeerInvalidation): void {
    this.#counters.invalidations++;
    const { target, fence } = invalidation;
    if (target.kind === "keys") {
      for (const key of target.keys) {
        this.#dropKey(key);
        this.#memory.fences.add(key, fence);
      }
      return;
    }
    // Nobody knows yet which tags a value in flight will carry, so all flights are fenced off.
    this.#fetches.detachAll();
    this.#questions.detachAll();
    if (target.kind === "tag") this.#memory.dropTagged(target.tag);
    else this.#memory.clear();
  }

  /** Invalidates on every node; see {@link invalidateEverywhere} for what has been reached when it resolves. */
  async invalidate(
    target: PeerInvalidationTarget,
    options?: PeerCallOptions,
  ): Promise<InvalidationResult> {
    this.#refuseIfClosed();
    const invalidation = {
      group: this.name,
      target: this.#checkedTarget(target),
      fence: newFence(this.#random),
    };
    return await invalidateEverywhere(invalidation, {
      picker: this.#picker,
      apply: () => this.apply(invalidation),
      timeoutMs: this.#policy.timeoutMs,
      signal: options?.signal,
    });
  }

  stats(): GroupStats {
    const cacheHits = this.#memory.hits;
    return {
      ...this.#counters,
      cacheHits,
      gets: cacheHits + this.#counters.loads,
      flights: this.#fetches.size + this.#questions.size,
      ...this.#memory.stats(),
    };
  }

  /** Ends all flights with `CLOSED` and empties the memory; later calls reject with `CLOSED`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const error = new ParsecError("CLOSED", `the group ${this.name} was closed`);
    this.#questions.cutAllShort(error);
    this.#fetches.cutAllShort(error);
    this.#memory.clear();
  }

  #miss(key: string, input: Input, signal: AbortSignal | undefined): Promise<T | undefined> {
    try {
      this.#refuseIfClosed();
      this.#checkKey(key);
      if (signal !== undefined) signalOption(signal);
      const canonical = canonicalKey(key);
      if (canonical !== key) return this.get(canonical, input, signal);

      const owned = key === "" && !this.#origin.emptyKeyHasOwner;
      const owner = owned ? undefined : this.#picker.pick(key);
      // A node that was the owner once leaves renewing what it has to the one that is (I1).
      const stale = owner === undefined ? this.#memory.staleHit(key) : undefined;
      if (stale !== undefined) {
        this.#refresh(key, this.#origin.encodeInput(input));
        return stale;
      }
      this.#counters.loads++;
      const flight =
        owner === undefined
          ? (this.#fetches.get(key) ?? this.#startFetch(key, this.#origin.encodeInput(input)))
          : (this.#questions.get(key) ??
            this.#startQuestion(owner, {
              key,
              input: this.#origin.encodeInput(input),
              canLeave: signal !== undefined,
            }));
      return flight.wait(signal).then((loaded) => loaded.open(this.#origin));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #joinFetch(key: string, input: Uint8Array | undefined): Flight<Loaded<T>> {
    return this.#fetches.get(key) ?? this.#startFetch(key, input);
  }

  /** Renews a stale value while it is being served. */
  #refresh(key: string, input: Uint8Array | undefined): void {
    if (this.#fetches.get(key) === undefined) this.#startFetch(key, input).keep();
  }

  #startQuestion(
    owner: Peer,
    request: {
      readonly key: string;
      readonly input: Uint8Array | undefined;
      readonly canLeave: boolean;
    },
  ): Flight<Loaded<T>> {
    const { key, input } = request;
    const flight = key === "" ? this.#questions.startAlone() : this.#questions.start(key);
    const startedAt = this.#clock.now();
    const fence = this.#memory.fences.get(key);
    const localRate = this.#countRequest(key);
    this.#counters.loadsDeduped++;
    ask(owner, {
      lookup: { group: this.name, key, input, fence, timeoutMs: this.#policy.timeoutMs },
      options: request.canLeave ? { signal: flight.signal } : undefined,
    }).then(
      (answer) => {
        if (flight.settled) return;
        this.#counters.peerLoads++;
        this.#takeAnswer(flight, { answer, fence, localRate, input, startedAt });
      },
      (error: unknown) => {
        if (flight.settled) return;
        this.#counters.peerErrors++;
        flight.counted = true;
        this.#withoutOwner(flight, { error, input, startedAt });
      },
    );
    return flight;
  }

  #takeAnswer(
    flight: Flight<Loaded<T>>,
    got: {
      readonly answer: PeerAnswer;
      readonly fence: number;
      readonly localRate: number;
      readonly input: Uint8Array | undefined;
      readonly startedAt: number;
    },
  ): void {
    const { answer, fence, localRate, input } = got;
    const { key } = flight;
    this.#questions.end(flight);
    try {
      this.#checkValue(answer.value);
      // Counted from the question: only that is surely no later than the owner's own count (I7).
      const freshUntil = got.startedAt + answer.ttlMs;
      if (!flight.detached) {
        // Not detached, so what we stand at is still what the owner was asked with.
        if (fence !== 0) this.#memory.fences.adopt(key, answer.fence);
        const rate = Math.max(localRate, answer.ratePerMinute);
        if (freshUntil > this.#clock.now() && rate >= this.#policy.hotFromRatePerMinute) {
          const { value } = answer;
          const tags = this.#tagsOf({ key, input, value });
          this.#memory.store(key, { value, freshUntil, hot: true, tags });
        }
      }
      flight.resolve(new Loaded(answer.value, freshUntil));
    } catch (error) {
      flight.reject(this.#typed(error, "ORIGIN_FAILED"));
    }
  }

  /** Only an owner out of reach may be replaced by a fetch from here (invariant I5), within the same budget. */
  #withoutOwner(
    flight: Flight<Loaded<T>>,
    failure: {
      readonly error: unknown;
      readonly input: Uint8Array | undefined;
      readonly startedAt: number;
    },
  ): void {
    const error = this.#typed(failure.error, "PEER_UNREACHABLE");
    const remainingMs = this.#policy.timeoutMs - (this.#clock.now() - failure.startedAt);
    const mayLoad = error.code === "PEER_UNREACHABLE" && this.#policy.onPeerFailure === "load";
    if (!mayLoad || remainingMs <= 0) {
      this.#questions.end(flight);
      flight.reject(mayLoad ? this.#timeout() : error);
      return;
    }
    flight.onSettled = this.#clock.schedule(remainingMs, () => {
      this.#questions.end(flight);
      flight.reject(this.#timeout());
      flight.abort(this.#timeout());
    });
    this.#joinFetch(flight.key, failure.input)
      .wait(flight.signal)
      .then(
        (loaded) => {
          if (flight.settled) return;
          this.#questions.end(flight);
          flight.resolve(loaded);
        },
        (reason: unknown) => {
          if (flight.settled) return;
          this.#questions.end(flight);
          flight.reject(this.#typed(reason, "ORIGIN_FAILED"));
        },
      );
  }

  #startFetch(key: string, input: Uint8Array | undefined): Flight<Loaded<T>> {
    const flight = key === "" ? this.#fetches.startAlone() : this.#fetches.start(key);
    this.#counters.loadsDeduped++;
    flight.onSettled = this.#clock.schedule(this.#policy.timeoutMs, () => {
      if (this.#serveStale(flight)) flight.abort(this.#timeout());
      else this.#fetches.cutShort(flight, this.#timeout());
    });
    this.#origin
      .load(key, new FlightContext(flight, input))
      .then((bytes) => {
        if (!flight.settled) this.#takeValue(flight, { bytes, input });
      })
      .catch((error: unknown) => {
        if (flight.settled || this.#serveStale(flight)) return;
        this.#fetches.end(flight);
        this.#counters.localLoadErrs++;
        flight.reject(this.#typed(error, "ORIGIN_FAILED"));
      });
    return flight;
  }

  #takeValue(
    flight: Flight<Loaded<T>>,
    got: { readonly bytes: Uint8Array | undefined; readonly input: Uint8Array | undefined },
  ): void {
    const { bytes, input } = got;
    const { key } = flight;
    this.#checkValue(bytes);
    const freshUntil = this.#clock.now() + this.#lifetimeMs(bytes);
    const hot = this.#picker.pick(key) !== undefined;
    const wanted = !hot || this.#policy.hotFromRatePerMinute < Number.POSITIVE_INFINITY;
    const tags = this.#tagsOf({ key, input, value: bytes });
    this.#fetches.end(flight);
    this.#counters.localLoads++;
    if (!flight.detached) {
      const kept = wanted && freshUntil > this.#clock.now();
      if (kept) this.#memory.store(key, { value: bytes, freshUntil, hot, tags });
      // What was there before is out of date, and must not be served as stale any more.
      else this.#memory.drop(key);
    }
    flight.resolve(new Loaded(bytes, freshUntil));
  }

  /** Ends a failed fetch with the old value if `staleIfErrorMs` allows it. */
  #serveStale(flight: Flight<Loaded<T>>): boolean {
    if (flight.detached) return false;
    const copy = this.#memory.copyOnError(flight.key);
    if (copy === undefined) return false;
    this.#fetches.end(flight);
    this.#counters.localLoadErrs++;
    flight.resolve(new Loaded(copy.value, this.#clock.now()));
    return true;
  }

  /**
   * Drops the key if the asker has acknowledged an invalidation that never came here. Returns what
   * the asker should stand at: its own number unless ours had to be merged with it.
   */
  #catchUp(key: string, fence: number): number {
    const { fences } = this.#memory;
    if (fences.knows(key, fence)) return fence;
    this.#dropKey(key);
    fences.add(key, fence);
    return fences.get(key);
  }

  #dropKey(key: string): void {
    this.#memory.drop(key);
    this.#fetches.detach(key);
    this.#questions.detach(key);
  }

  #lifetimeMs(bytes: Uint8Array | undefined): number {
    if (bytes === undefined) return this.#policy.negativeTtlMs;
    const { ttlMs, ttlJitter } = this.#policy;
    return ttlMs === Number.POSITIVE_INFINITY ? ttlMs : ttlMs * (1 - ttlJitter * this.#random());
  }

  /** Whatever the user's function does, what is stored has tags that can be counted and found. */
  #tagsOf(entry: Parameters<Origin<Input, T>["tags"]>[0]): readonly string[] {
    let tags: unknown;
    try {
      tags = this.#origin.tags(entry);
    } catch (error) {
      throw originFailed(this.name, error);
    }
    if (Array.isArray(tags) && tags.every((tag) => typeof tag === "string")) return tags;
    throw new ParsecError("ORIGIN_FAILED", `tags of ${this.name} must return an array of text`);
  }

  #countRequest(key: string): number {
    const counted = this.#policy.hotFromRatePerMinute < Number.POSITIVE_INFINITY;
    return counted ? this.#rate.count(hashKey(key)) : 0;
  }

  #checkedTarget(target: PeerInvalidationTarget): PeerInvalidationTarget {
    if (target.kind === "tag" && (typeof target.tag !== "string" || target.tag === absentTag)) {
      const given = describe(target.tag);
      throw new ParsecError(
        "INVALID_ARGUMENT",
        `a tag must be text of one character or more, not ${given}`,
      );
    }
    if (target.kind !== "keys") return target;
    for (const key of target.keys) this.#checkKey(key);
    return { kind: "keys", keys: target.keys.map(canonicalKey) };
  }

  #checkKey(key: string): void {
    if (typeof key !== "string") throw this.#invalidKey(key);
    const { maxKeyBytes } = this.#policy;
    // A character takes at most three bytes of UTF-8: most keys need no exact count.
    if (key.length * 3 <= maxKeyBytes) return;
    if (key.length > maxKeyBytes || keyToBytes(key).length > maxKeyBytes) {
      throw new ParsecError(
        "KEY_TOO_LARGE",
        `a key of ${this.name} is larger than maxKeyBytes (${maxKeyBytes})`,
      );
    }
  }

  #invalidKey(key: unknown): ParsecError {
    return new ParsecError(
      "INVALID_KEY",
      `a key of ${this.name} must be a string, not ${describe(key)}`,
    );
  }

  #checkValue(value: Uint8Array | undefined): void {
    const { maxValueBytes } = this.#policy;
    if (value !== undefined && value.length > maxValueBytes) {
      throw new ParsecError(
        "VALUE_TOO_LARGE",
        `a value of ${this.name} has ${value.length} bytes, more than maxValueBytes (${maxValueBytes})`,
      );
    }
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new ParsecError("CLOSED", `the group ${this.name} was closed`);
  }

  #timeout(): ParsecError {
    const { timeoutMs } = this.#policy;
    return new ParsecError(
      "TIMEOUT",
      `${this.name} gave no answer within timeoutMs (${timeoutMs})`,
    );
  }

  #typed(error: unknown, code: ParsecErrorCode): ParsecError {
    if (isParsecError(error)) return error;
    const detail = error instanceof Error ? error.message : String(error);
    return new ParsecError(code, `${this.name}: ${detail}`, { cause: error });
  }
}

/** A transport that throws instead of rejecting, or answers without a promise, must not leave the flight behind. */
function ask(
  owner: Peer,
  question: { readonly lookup: PeerLookup; readonly options: PeerCallOptions | undefined },
): Promise<PeerAnswer> {
  try {
    return Promise.resolve(owner.lookup(question.lookup, question.options));
  } catch (error) {
    return Promise.reject(error);
  }
}
