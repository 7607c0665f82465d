import { abortedError } from "../abort.ts";
import type { ResolvedPolicy } from "../cache-policy.ts";
import { ParsecError } from "../errors.ts";
import { GroupCounters, type GroupStats } from "../group-stats.ts";
import { newFence } from "../invalidation/fences.ts";
import { type InvalidationResult, invalidateEverywhere } from "../invalidation/invalidation.ts";
import { RecentSweeps } from "../invalidation/recent-sweeps.ts";
import { absentTag } from "../invalidation/tag-index.ts";
import { canonicalKey } from "../key-bytes.ts";
import { hashKey } from "../key-hash.ts";
import { GroupMemory } from "../memory/group-memory.ts";
import { describe, signalOption } from "../option-checks.ts";
import type {
  Peer,
  PeerAnswer,
  PeerCallOptions,
  PeerEntry,
  PeerHandOver,
  PeerInvalidation,
  PeerInvalidationTarget,
  PeerLookup,
} from "../peer.ts";
import { EntryExchange } from "./entry-exchange.ts";
import type { GroupContext, NodeContext } from "./group-context.ts";
import { GroupLimits } from "./group-limits.ts";
import type { LoadedValue } from "./loaded-value.ts";
import type { Origin } from "./origin.ts";
import { OriginLoads } from "./origin-loads.ts";
import { OwnerLookups } from "./owner-lookups.ts";
import { RequestRate } from "./request-rate.ts";
import type { Flight, WaitLimit } from "./singleflight.ts";

/**
 * One group on one node: memory, then the flight, then the owner or the origin, and back. Two kinds
 * of flights, so that a peer's request waits for the origin only (invariant I6).
 */
export class GroupEngine<Input, T> {
  readonly name: string;
  readonly #group: GroupContext<Input, T>;
  readonly #memory: GroupMemory<T>;
  readonly #counters: GroupCounters = new GroupCounters();
  readonly #rate: RequestRate;
  readonly #fetches: OriginLoads<Input, T>;
  readonly #questions: OwnerLookups<Input, T>;
  readonly #exchange: EntryExchange<Input, T>;
  #closed = false;

  constructor(
    name: string,
    parts: {
      readonly policy: ResolvedPolicy;
      readonly origin: Origin<Input, T>;
      readonly node: NodeContext;
    },
  ) {
    const { policy, origin, node } = parts;
    this.name = name;
    this.#rate = new RequestRate(node.clock);
    this.#memory = new GroupMemory({
      policy,
      clock: node.clock,
      decoder: origin,
      counters: this.#counters,
    });
    this.#group = {
      ...parts,
      name,
      limits: new GroupLimits(name, policy),
      memory: this.#memory,
      counters: this.#counters,
      sweeps: new RecentSweeps(node.clock, policy.timeoutMs),
    };
    this.#exchange = new EntryExchange(this.#group);
    this.#fetches = new OriginLoads(this.#group);
    this.#questions = new OwnerLookups(this.#group, {
      fetches: this.#fetches,
      rate: this.#rate,
    });
  }

  /** Memory, else the one load for the key. Rejects with a `ParsecError`; never throws. */
  get(key: string, input: Input, signal?: AbortSignal): Promise<T | undefined> {
    // A caller without a signal who hits must not pay for any of the other cases.
    if (signal === undefined) return this.#memory.hit(key) ?? this.#miss(key, input, undefined);
    if (signal?.aborted) return Promise.reject(abortedError(signal));
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
    this.#group.limits.checkKey(lookup.key);
    const { key, fence, memoryOnly } = lookup;
    if (memoryOnly) return this.#answerFromMemory(key, fence);
    const standing = this.#catchUp(key, fence);
    this.#counters.serverRequests++;
    const copy = key === "" ? undefined : this.#memory.copyForPeer(key);
    const ratePerMinute = this.#countRequest(key);
    if (copy !== undefined) {
      if (copy.remainingMs <= 0) this.#fetches.refresh(key, () => lookup.input);
      const ttlMs = Math.max(0, copy.remainingMs);
      return { value: copy.value, ttlMs, fence: standing, ratePerMinute };
    }
    this.#counters.loads++;
    const { clock } = this.#group.node;
    const flight = this.#fetches.join(key, () => lookup.input);
    return flight.wait(options?.signal, this.#limitOf(lookup)).then((loaded) => ({
      value: loaded.bytes,
      // What an invalidation overtook may be answered, but not kept by anyone.
      ttlMs: flight.detached ? 0 : Math.max(0, loaded.freshUntil - clock.now()),
      fence: standing,
      ratePerMinute,
    }));
  }

  /** Applies what a peer (or this node) invalidates. */
  apply(invalidation: PeerInvalidation): void {
    this.#counters.invalidations++;
    const { target, fence, again } = invalidation;
    if (target.kind === "keys") {
      const { fences } = this.#memory;
      for (const key of target.keys) {
        if (again && fences.has(key, fence)) continue;
        this.#dropKey(key);
        fences.add(key, fence);
      }
      return;
    }
    this.#group.sweeps.note(target);
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
    const { node } = this.#group;
    const invalidation = {
      group: this.name,
      target: this.#checkedTarget(target),
      fence: newFence(node.random),
    };
    const result = await this.spread(invalidation, options);
    node.missed.add(invalidation, result.failed);
    return result;
  }

  /** Applies an invalidation on every node, the first time or once more. */
  spread(invalidation: PeerInvalidation, options?: PeerCallOptions): Promise<InvalidationResult> {
    const { node, policy } = this.#group;
    return invalidateEverywhere(invalidation, {
      picker: node.picker,
      apply: () => this.apply(invalidation),
      timeoutMs: policy.timeoutMs,
      signals: node.signals,
      signal: options?.signal,
    });
  }

  /** The keys to hand over when this node leaves, the most recently used first. */
  ownedKeys(): readonly string[] {
    return this.#memory.ownedKeys();
  }

  /** See {@link EntryExchange}. */
  entry(key: string, ticketAt: number): PeerEntry | undefined {
    return this.#exchange.entry(key, ticketAt);
  }

  /** See {@link EntryExchange}. */
  takeOver(part: PeerHandOver): number {
    this.#refuseIfClosed();
    return this.#exchange.take(part);
  }

  /** Drops everything, such as when invalidations may have been missed. */
  forget(): void {
    this.#exchange.forget();
    this.#fetches.detachAll();
    this.#questions.detachAll();
    this.#memory.clear();
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
    this.#questions.close(error);
    this.#fetches.close(error);
    this.#memory.clear();
  }

  #miss(key: string, input: Input, signal: AbortSignal | undefined): Promise<T | undefined> {
    const { limits, node, origin } = this.#group;
    try {
      this.#refuseIfClosed();
      limits.checkKey(key);
      if (signal !== undefined) signalOption(signal);
      const canonical = canonicalKey(key);
      if (canonical !== key) return this.get(canonical, input, signal);

      const owned = key === "" && !origin.emptyKeyHasOwner;
      const owner = owned ? undefined : node.picker.pick(key);
      // A node that was the owner once leaves renewing what it has to the one that is (I1).
      const stale = owner === undefined ? this.#memory.staleHit(key) : undefined;
      if (stale !== undefined) {
        this.#fetches.refresh(key, () => origin.encodeInput(input));
        return stale;
      }
      this.#counters.loads++;
      const flight =
        owner === undefined
          ? this.#fetches.join(key, () => origin.encodeInput(input))
          : this.#ask(owner, { key, input, canLeave: signal !== undefined });
      return flight.wait(signal).then((loaded) => loaded.open(origin));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The question under way for a key, or a new one. */
  #ask(
    owner: Peer,
    request: { readonly key: string; readonly input: Input; readonly canLeave: boolean },
  ): Flight<LoadedValue<T>> {
    const { key, canLeave } = request;
    return (
      this.#questions.get(key) ??
      this.#questions.start(owner, {
        key,
        input: this.#group.origin.encodeInput(request.input),
        canLeave,
      })
    );
  }

  /**
   * For the node that owns the key now, which goes on from where this one stands. Owners hear of an
   * invalidation first: one that this node does not know yet is on its way here, or owed to it.
   */
  #answerFromMemory(key: string, askersFence: number): PeerAnswer {
    const { fences } = this.#memory;
    // Whoever asks like this has just come: it need not wait until it is found to be back.
    this.#group.node.picker.pick(key)?.probe?.();
    const fence = fences.get(key);
    const copy = fences.knows(key, askersFence) ? this.#memory.copyToGive(key) : undefined;
    if (copy === undefined) {
      return { value: undefined, ttlMs: 0, fence, ratePerMinute: 0, missing: true };
    }
    const { value, freshUntil } = copy;
    const ttlMs = freshUntil - this.#group.node.clock.now();
    return { value, ttlMs, fence, ratePerMinute: 0 };
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

  /** A load goes on only for those who still wait (I4): an asker that waits less than the load may take leaves in time. */
  #limitOf({ timeoutMs }: PeerLookup): WaitLimit | undefined {
    const { limits, node, policy } = this.#group;
    if (!(timeoutMs < policy.timeoutMs)) return undefined;
    return { clock: node.clock, timeoutMs, error: () => limits.timeout(timeoutMs) };
  }

  #countRequest(key: string): number {
    const counted = this.#group.policy.hotFromRatePerMinute < Number.POSITIVE_INFINITY;
    return counted ? this.#rate.count(hashKey(key)) : 0;
  }

  #checkedTarget(target: PeerInvalidationTarget): PeerInvalidationTarget {
    if (target.kind === "tag" && (typeof target.tag !== "string" || target.tag === absentTag)) {
      const given = describe(target.tag);
      throw new ParsecError(
        "INVALID_ARGUMENT",
        `a tag must be text of one character or more, got ${given}`,
      );
    }
    if (target.kind !== "keys") return target;
    for (const key of target.keys) this.#group.limits.checkKey(key);
    return { kind: "keys", keys: target.keys.map(canonicalKey) };
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new ParsecError("CLOSED", `the group ${this.name} was closed`);
  }
}
