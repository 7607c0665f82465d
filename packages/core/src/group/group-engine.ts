import { abortedError } from "../abort.ts";
import type { ResolvedPolicy } from "../cache-policy.ts";
import { ParsecError } from "../errors.ts";
import { GroupCounters, type GroupStats } from "../group-stats.ts";
import { absentTag } from "../invalidation/absent-tag.ts";
import { newFence } from "../invalidation/fences.ts";
import { type InvalidationResult, invalidateEverywhere } from "../invalidation/invalidation.ts";
import { RecentSweeps } from "../invalidation/recent-sweeps.ts";
import { wireTag } from "../key-bytes.ts";
import { hashKey } from "../key-hash.ts";
import { GroupMemory } from "../memory/group-memory.ts";
import { describe, invalidArgument, signalOption } from "../option-checks.ts";
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

/** The name of a group for lookups and entries, which only nodes with the same version understand. */
export function nameOnWire(baseName: string, { version }: ResolvedPolicy): string {
  return version === "" ? baseName : `${baseName}@${version}`;
}

/**
 * One group on one node: memory, then singleflight, then the owner or the origin. Lookups at owners and
 * origin loads have flights of their own, so that a peer's request waits for the origin only (invariant I6).
 */
export class GroupEngine<Input, T> {
  /** The name without the version, under which invalidations reach all versions. */
  readonly baseName: string;
  /** The name on the wire, which includes the version. */
  readonly name: string;
  readonly #group: GroupContext<Input, T>;
  readonly #memory: GroupMemory<T>;
  readonly #counters: GroupCounters = new GroupCounters();
  readonly #rate: RequestRate;
  readonly #originLoads: OriginLoads<Input, T>;
  readonly #ownerLookups: OwnerLookups<Input, T>;
  readonly #exchange: EntryExchange<Input, T>;
  #closed = false;

  constructor(
    baseName: string,
    parts: {
      readonly policy: ResolvedPolicy;
      readonly origin: Origin<Input, T>;
      readonly node: NodeContext;
    },
  ) {
    const { policy, origin, node } = parts;
    const name = nameOnWire(baseName, policy);
    this.baseName = baseName;
    this.name = name;
    this.#rate = new RequestRate(node.clock, policy.maxBytes);
    this.#memory = new GroupMemory({
      policy,
      clock: node.clock,
      decoder: origin,
      counters: this.#counters,
      slicedWork: node.slicedWork,
    });
    this.#group = {
      ...parts,
      name,
      limits: new GroupLimits(name, policy),
      memory: this.#memory,
      counters: this.#counters,
      sweeps: new RecentSweeps({
        clock: node.clock,
        timeoutMs: policy.timeoutMs,
        fences: this.#memory.fences,
      }),
    };
    this.#exchange = new EntryExchange(this.#group);
    this.#originLoads = new OriginLoads(this.#group);
    this.#ownerLookups = new OwnerLookups(this.#group, {
      originLoads: this.#originLoads,
      rate: this.#rate,
    });
  }

  /** Answers from memory, else joins or starts the load of the key. Rejects with a `ParsecError`; never throws. */
  get(key: string, input: Input, signal?: AbortSignal): Promise<T | undefined> {
    // A hit without a signal is the fastest path: no other check may come first.
    if (signal === undefined) return this.#memory.hit(key) ?? this.#miss(key, input, undefined);
    if (signal?.aborted) return Promise.reject(abortedError(signal));
    return this.#memory.hit(key) ?? this.#miss(key, input, signal ?? undefined);
  }

  /** The fresh value in memory, without a load. */
  peek(key: string): T | undefined {
    return this.#memory.peek(key);
  }

  /** Answers a peer's lookup from memory, else by an origin load. Never asks another peer. */
  answer(lookup: PeerLookup, options?: PeerCallOptions): PeerAnswer | Promise<PeerAnswer> {
    this.#refuseIfClosed();
    this.#group.limits.checkKey(lookup.key);
    const { key, fence, memoryOnly } = lookup;
    if (memoryOnly) return this.#answerFromMemory(key, fence);
    const combinedFence = this.#catchUp(key, fence);
    this.#counters.serverRequests++;
    const copy = key === "" ? undefined : this.#memory.copyForPeer(key);
    const ratePerMinute = this.#countRequest(key);
    if (copy !== undefined) {
      if (copy.remainingMs <= 0) this.#originLoads.refresh(key, () => lookup.input);
      const ttlMs = Math.max(0, copy.remainingMs);
      return { value: copy.value, ttlMs, fence: combinedFence, ratePerMinute };
    }
    this.#counters.loads++;
    const { clock } = this.#group.node;
    const flight = this.#originLoads.join(key, () => lookup.input);
    return flight.wait(options?.signal, this.#limitOf(lookup)).then((loaded) => ({
      value: loaded.bytes,
      // A value that an invalidation overtook may be returned, but not cached.
      ttlMs: flight.detached ? 0 : Math.max(0, loaded.freshUntil - clock.now()),
      fence: combinedFence,
      ratePerMinute,
    }));
  }

  /** Applies an invalidation on this node. */
  apply(invalidation: PeerInvalidation): void {
    this.#counters.invalidations++;
    const { target, fence, again } = invalidation;
    if (target.kind === "keys") {
      const { fences } = this.#memory;
      for (const key of target.keys) {
        // Nothing is cached or loaded under a key that is too long, so there is nothing to fence.
        if (!this.#group.limits.allowsKey(key)) continue;
        if (again && fences.has(key, fence)) continue;
        this.#dropKey(key);
        fences.add(key, fence);
      }
      return;
    }
    this.#group.sweeps.note(target);
    // The tags of a value in flight are unknown, so all flights are detached.
    this.#originLoads.detachAll();
    this.#ownerLookups.detachAll();
    if (target.kind === "tag") this.#memory.dropTagged(target.tag);
    else this.#memory.clear();
  }

  /** Invalidates on every node (see {@link spread}), and has other members retry it where nodes failed. */
  async invalidate(
    target: PeerInvalidationTarget,
    options?: PeerCallOptions,
  ): Promise<InvalidationResult> {
    this.#refuseIfClosed();
    const { node } = this.#group;
    const invalidation = {
      group: this.baseName,
      target: this.#checkedTarget(target),
      fence: newFence(node.random),
    };
    const result = await this.spread(invalidation, options);
    if (result.failed.length > 0) await node.missed.share(invalidation, result, options?.signal);
    return result;
  }

  /** Applies an invalidation, a new one or a repetition, on every node, and queues retries for those that failed. */
  async spread(
    invalidation: PeerInvalidation,
    options?: PeerCallOptions,
  ): Promise<InvalidationResult> {
    const { node, policy } = this.#group;
    const { missed, picker } = node;
    return await missed.withMembers(async (members) => {
      await picker.joining;
      return await invalidateEverywhere(invalidation, {
        picker,
        members,
        apply: () => this.apply(invalidation),
        onResult: ({ failed }) => missed.add(invalidation, failed),
        timeoutMs: policy.timeoutMs,
        clock: node.clock,
        signals: node.signals,
        signal: options?.signal,
      });
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

  /** Drops everything, for a node that may have missed invalidations. */
  forget(): void {
    this.#exchange.forget();
    this.#originLoads.detachAll();
    this.#ownerLookups.detachAll();
    this.#memory.clear();
  }

  stats(): GroupStats {
    const cacheHits = this.#memory.hits;
    return {
      ...this.#counters,
      cacheHits,
      gets: cacheHits + this.#counters.loads,
      breakerOpen: this.#originLoads.isBreakerOpen ? 1 : 0,
      flights: this.#originLoads.size + this.#ownerLookups.size,
      ...this.#memory.stats(),
    };
  }

  /** Ends all flights with `CLOSED` and empties the memory; later calls reject with `CLOSED`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const error = new ParsecError("CLOSED", `the group ${this.name} was closed`);
    this.#ownerLookups.close(error);
    this.#originLoads.close(error);
    this.#memory.release();
  }

  #miss(key: string, input: Input, signal: AbortSignal | undefined): Promise<T | undefined> {
    const { limits, node, origin } = this.#group;
    try {
      this.#refuseIfClosed();
      limits.checkCallersKey(key);
      if (signal !== undefined) signalOption(signal);
      const { joining } = node.picker;
      if (joining !== undefined) return joining.then(() => this.get(key, input, signal));

      const owned = key === "" && !origin.emptyKeyHasOwner;
      const owner = owned ? undefined : node.picker.pick(key);
      // Only the owner refreshes stale values, not a former owner (I1).
      const stale = owner === undefined ? this.#memory.staleHit(key) : undefined;
      if (stale !== undefined) {
        this.#originLoads.refresh(key, () => origin.encodeInput(input));
        return stale;
      }
      this.#counters.loads++;
      const flight =
        owner === undefined
          ? this.#originLoads.join(key, () => origin.encodeInput(input))
          : this.#lookUpOwner(owner, { key, input, canAbort: signal !== undefined });
      return flight.wait(signal).then((loaded) => loaded.open(origin));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The lookup in flight for a key, or a new one. */
  #lookUpOwner(
    owner: Peer,
    request: { readonly key: string; readonly input: Input; readonly canAbort: boolean },
  ): Flight<LoadedValue<T>> {
    const { key, canAbort: canLeave } = request;
    return (
      this.#ownerLookups.get(key) ??
      this.#ownerLookups.start(owner, {
        key,
        input: this.#group.origin.encodeInput(request.input),
        canAbort: canLeave,
      })
    );
  }

  /**
   * Answers the present owner of a key during its warm-up. Owners apply an invalidation first: one that this
   * node has not applied yet is on its way here, or in a retry queue.
   */
  #answerFromMemory(key: string, requestedFence: number): PeerAnswer {
    const { fences } = this.#memory;
    // Its request shows that the owner is up, so probe it now instead of after the backoff.
    this.#group.node.picker.pick(key)?.probe?.();
    const fence = fences.get(key);
    const copy = fences.knows(key, requestedFence) ? this.#memory.copyForTransfer(key) : undefined;
    if (copy === undefined) {
      return { value: undefined, ttlMs: 0, fence, ratePerMinute: 0, missing: true };
    }
    const { value, freshUntil } = copy;
    const ttlMs = freshUntil - this.#group.node.clock.now();
    return { value, ttlMs, fence, ratePerMinute: 0 };
  }

  /**
   * Drops the key if the requester has applied an invalidation that did not arrive here. Returns the
   * combined fence that the requester should adopt: its own, unless ours had to be merged with it.
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
    this.#originLoads.detach(key);
    this.#ownerLookups.detach(key);
  }

  /** The time limit of a requester that waits for less time than a load may take (I4). */
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
      throw invalidArgument(`tag must be a non-empty string, got ${given}`);
    }
    if (target.kind === "tag") return { kind: "tag", tag: wireTag(target.tag) };
    if (target.kind === "keys") {
      for (const key of target.keys) this.#group.limits.checkCallersKey(key);
    }
    return target;
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new ParsecError("CLOSED", `the group ${this.name} was closed`);
  }
}
