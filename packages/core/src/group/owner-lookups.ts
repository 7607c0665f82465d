import { ParsecError } from "../errors.ts";
import { hashKey } from "../key-hash.ts";
import type { Peer, PeerAnswer, PeerCallOptions, PeerLookup } from "../peer.ts";
import { telemetryChannel } from "../telemetry.ts";
import type { GroupContext } from "./group-context.ts";
import { LoadedValue } from "./loaded-value.ts";
import type { OriginLoads } from "./origin-loads.ts";
import type { RequestRate } from "./request-rate.ts";
import { type Flight, Singleflight } from "./singleflight.ts";

const channel = telemetryChannel("parsec:peer-lookup");

/** One lookup in flight, first at the owner, then at the fallback owner. */
class OwnerLookup<T> {
  readonly flight: Flight<LoadedValue<T>>;
  readonly input: Uint8Array | undefined;
  readonly localRate: number;
  /** For all attempts together. */
  readonly deadline: number;
  /** Whether a caller may abort, so that the request needs a signal. */
  canAbort: boolean;
  isToFallbackOwner = false;
  /** When the present attempt was sent. */
  startedAt = 0;
  /** The combined fence that the present attempt carries. */
  fence = 0;

  constructor(
    flight: Flight<LoadedValue<T>>,
    parts: {
      readonly input: Uint8Array | undefined;
      readonly localRate: number;
      readonly deadline: number;
      readonly canAbort: boolean;
    },
  ) {
    this.flight = flight;
    this.input = parts.input;
    this.localRate = parts.localRate;
    this.deadline = parts.deadline;
    this.canAbort = parts.canAbort;
  }
}

/**
 * The lookups of one group at the owners of keys, one in flight per key. Joined by this node's own callers
 * only, never by peers.
 */
export class OwnerLookups<Input, T> {
  readonly #group: GroupContext<Input, T>;
  readonly #originLoads: OriginLoads<Input, T>;
  readonly #rate: RequestRate;
  readonly #flights: Singleflight<LoadedValue<T>>;

  constructor(
    group: GroupContext<Input, T>,
    parts: { readonly originLoads: OriginLoads<Input, T>; readonly rate: RequestRate },
  ) {
    this.#group = group;
    this.#originLoads = parts.originLoads;
    this.#rate = parts.rate;
    this.#flights = new Singleflight(group.node, (flight) => {
      if (!flight.failureCounted) group.counters.peerErrors++;
    });
  }

  get size(): number {
    return this.#flights.size;
  }

  get(key: string): Flight<LoadedValue<T>> | undefined {
    return this.#flights.get(key);
  }

  detach(key: string): void {
    this.#flights.detach(key);
  }

  detachAll(): void {
    this.#flights.detachAll();
  }

  close(error: ParsecError): void {
    this.#flights.cancelAll(error);
  }

  /** Starts a lookup at the owner. `canAbort` says whether the caller has a signal. */
  start(
    owner: Peer,
    request: {
      readonly key: string;
      readonly input: Uint8Array | undefined;
      readonly canAbort: boolean;
    },
  ): Flight<LoadedValue<T>> {
    const { key, input, canAbort: canLeave } = request;
    const { node, policy } = this.#group;
    const flight = key === "" ? this.#flights.startUnshared() : this.#flights.start(key);
    const counted = policy.hotFromRatePerMinute < Number.POSITIVE_INFINITY;
    const localRate = counted ? this.#rate.count(hashKey(key)) : 0;
    const startedAt = node.clock.now();
    const deadline = startedAt + policy.timeoutMs;
    node.missed.refreshMembers();
    this.#request(
      owner,
      new OwnerLookup(flight, { input, localRate, deadline, canAbort: canLeave }),
      startedAt,
    );
    return flight;
  }

  /** Sends the lookup to a node, and counts the attempt and its outcome. */
  #request(peer: Peer, lookup: OwnerLookup<T>, startedAt = this.#group.node.clock.now()): void {
    const { flight, input, canAbort: canLeave } = lookup;
    const { counters, limits, memory, name } = this.#group;
    const { key } = flight;
    lookup.startedAt = startedAt;
    lookup.fence = memory.fences.get(key);
    const { fence } = lookup;
    const timeoutMs = lookup.deadline - lookup.startedAt;
    counters.loadsDeduped++;
    flight.failureCounted = false;
    lookUp(peer, {
      lookup: { group: name, key, input, fence, timeoutMs },
      options: canLeave ? { signal: flight.signal } : undefined,
    }).then(
      (answer) => {
        // Valid only for a memoryOnly lookup: it does not mean that the origin has no value.
        const failure = answer.missing ? unexpectedMissing(peer) : undefined;
        if (channel.hasSubscribers) this.#publish(lookup, { peer, failure, answer });
        if (flight.settled) return;
        if (failure !== undefined) this.#handleFailure(lookup, peer, failure);
        else this.#handleAnswer(lookup, answer);
      },
      (reason: unknown) => {
        const failure = limits.typed(reason, "PEER_UNREACHABLE");
        if (channel.hasSubscribers) this.#publish(lookup, { peer, failure });
        if (!flight.settled) this.#handleFailure(lookup, peer, failure);
      },
    );
  }

  #publish(
    { flight, startedAt, isToFallbackOwner }: OwnerLookup<T>,
    end: {
      readonly peer: Peer;
      readonly failure: ParsecError | undefined;
      readonly answer?: PeerAnswer;
    },
  ): void {
    const { name: group, node } = this.#group;
    const { peer, failure, answer } = end;
    const found = answer?.value === undefined ? "absent" : "found";
    channel.publish({
      nodeId: node.picker.selfId,
      group,
      key: flight.key,
      peerId: peer.id,
      isFallbackOwner: isToFallbackOwner,
      outcome: failure === undefined ? found : "failed",
      errorCode: failure?.code,
      durationMs: node.clock.now() - startedAt,
    });
  }

  #handleAnswer(lookup: OwnerLookup<T>, answer: PeerAnswer): void {
    const { flight, fence } = lookup;
    const { counters, limits, memory } = this.#group;
    const { value } = answer;
    counters.peerLoads++;
    this.#flights.end(flight);
    try {
      limits.checkValue(value);
      // Counted from the request, which is certainly not later than the owner's reading of its clock (I7).
      const freshUntil = lookup.startedAt + answer.ttlMs;
      if (!flight.detached) {
        // Not detached, so this node's fence is still the one that the request carried.
        if (fence !== 0) memory.fences.adopt(flight.key, answer.fence);
        this.#keepIfHot(lookup, { answer, freshUntil });
      }
      flight.resolve(new LoadedValue(value, freshUntil));
    } catch (error) {
      flight.reject(limits.typed(error, "ORIGIN_FAILED"));
    }
  }

  #keepIfHot(
    lookup: OwnerLookup<T>,
    got: { readonly answer: PeerAnswer; readonly freshUntil: number },
  ): void {
    const { memory, node, policy, sweeps } = this.#group;
    const { answer, freshUntil } = got;
    const { key } = lookup.flight;
    const rate = Math.max(lookup.localRate, answer.ratePerMinute);
    if (rate < policy.hotFromRatePerMinute) return;
    // Written so that NaN counts as expired.
    const isFresh = freshUntil > node.clock.now();
    if (!isFresh) return;
    const { value } = answer;
    const tags = this.#originLoads.tagsOf({ key, input: lookup.input, value });
    // The fallback owner may have answered from a copy.
    if (lookup.isToFallbackOwner && sweeps.mayConcern(tags, lookup.startedAt)) return;
    memory.store(key, { value, freshUntil, hot: true, tags });
  }

  /**
   * Failover, for nodes that are unreachable or overloaded or do not have the group yet (invariant I5), within the caller's deadline: from the owner to
   * the fallback owner, the member that would own the key without the owner. It is the same for every
   * requester, so the origin still serves one fetch. If the fallback owner is unreachable, or is this node,
   * this node loads the value itself.
   */
  #handleFailure(lookup: OwnerLookup<T>, peer: Peer, error: ParsecError): void {
    const { flight, deadline } = lookup;
    const { counters, limits, node, policy } = this.#group;
    counters.peerErrors++;
    flight.failureCounted = true;
    const remainingMs = deadline - node.clock.now();
    const isUnavailable = error.code === "PEER_UNREACHABLE" || error.code === "OVERLOADED";
    // A rolling deployment that adds the source, or changes its version: the owner is still to be restarted.
    const mayLoad =
      error.code === "NO_SUCH_GROUP" || (isUnavailable && policy.onPeerFailure === "load");
    if (!mayLoad || remainingMs <= 0) {
      this.#flights.end(flight);
      flight.reject(mayLoad ? limits.timeout() : error);
      return;
    }
    // From here on this node enforces the deadline, not the transport.
    flight.onSettled ??= node.clock.schedule(remainingMs, () => {
      this.#flights.cancel(flight, limits.timeout());
    });
    const { key } = flight;
    const isFinal = lookup.isToFallbackOwner || key === "";
    const fallbackOwner = isFinal ? undefined : node.picker.pick(key, peer.id);
    if (fallbackOwner === undefined || fallbackOwner.id === peer.id) {
      this.#loadLocally(lookup);
      return;
    }
    lookup.isToFallbackOwner = true;
    lookup.canAbort = true;
    this.#request(fallbackOwner, lookup);
  }

  #loadLocally({ flight, input }: OwnerLookup<T>): void {
    const { limits, memory } = this.#group;
    // Other nodes may have found the owner down earlier, and had this node load the value.
    const copy = memory.copyForTransfer(flight.key);
    if (copy !== undefined) {
      this.#flights.end(flight);
      flight.resolve(new LoadedValue(copy.value, copy.freshUntil));
      return;
    }
    this.#originLoads
      .join(flight.key, () => input)
      .wait(flight.signal)
      .then(
        (loaded) => {
          if (flight.settled) return;
          this.#flights.end(flight);
          flight.resolve(loaded);
        },
        (error: unknown) => {
          if (flight.settled) return;
          this.#flights.end(flight);
          flight.reject(limits.typed(error, "ORIGIN_FAILED"));
        },
      );
  }
}

function unexpectedMissing(peer: Peer): ParsecError {
  return new ParsecError(
    "PEER_UNREACHABLE",
    `${peer.id} sent an invalid answer: the lookup was not memoryOnly`,
  );
}

/** Tolerates a transport that throws, or returns an answer instead of a promise: the flight must always settle. */
function lookUp(
  peer: Peer,
  request: { readonly lookup: PeerLookup; readonly options: PeerCallOptions | undefined },
): Promise<PeerAnswer> {
  try {
    return Promise.resolve(peer.lookup(request.lookup, request.options));
  } catch (error) {
    return Promise.reject(error);
  }
}
