import { ParsecError } from "../errors.ts";
import { hashKey } from "../key-hash.ts";
import type { Peer, PeerAnswer, PeerCallOptions, PeerLookup } from "../peer.ts";
import type { GroupContext } from "./group-context.ts";
import { LoadedValue } from "./loaded-value.ts";
import type { OriginLoads } from "./origin-loads.ts";
import type { RequestRate } from "./request-rate.ts";
import { type Flight, Singleflight } from "./singleflight.ts";

/** What a caller of this node wants to know, and whom it is being asked of. */
class OwnerLookup<T> {
  readonly flight: Flight<LoadedValue<T>>;
  readonly input: Uint8Array | undefined;
  readonly localRate: number;
  /** When its time is over, whoever is asked until then. */
  readonly deadline: number;
  /** Whether somebody may give up, so that asking needs a signal. */
  canLeave: boolean;
  isToFallbackOwner = false;
  /** As they were when it was asked. */
  startedAt = 0;
  fence = 0;

  constructor(
    flight: Flight<LoadedValue<T>>,
    parts: {
      readonly input: Uint8Array | undefined;
      readonly localRate: number;
      readonly deadline: number;
      readonly canLeave: boolean;
    },
  ) {
    this.flight = flight;
    this.input = parts.input;
    this.localRate = parts.localRate;
    this.deadline = parts.deadline;
    this.canLeave = parts.canLeave;
  }
}

/**
 * The questions of one group to the owners of keys, one in flight per key: what this node's own
 * callers wait for when somebody else owns what they want.
 */
export class OwnerLookups<Input, T> {
  readonly #group: GroupContext<Input, T>;
  readonly #fetches: OriginLoads<Input, T>;
  readonly #rate: RequestRate;
  readonly #flights: Singleflight<LoadedValue<T>>;

  constructor(
    group: GroupContext<Input, T>,
    parts: { readonly fetches: OriginLoads<Input, T>; readonly rate: RequestRate },
  ) {
    this.#group = group;
    this.#fetches = parts.fetches;
    this.#rate = parts.rate;
    this.#flights = new Singleflight(group.node.signals, (flight) => {
      if (!flight.counted) group.counters.peerErrors++;
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
    this.#flights.cutAllShort(error);
  }

  /** Asks the owner. `canLeave` says whether the caller may give up. */
  start(
    owner: Peer,
    request: {
      readonly key: string;
      readonly input: Uint8Array | undefined;
      readonly canLeave: boolean;
    },
  ): Flight<LoadedValue<T>> {
    const { key, input, canLeave } = request;
    const { node, policy } = this.#group;
    const flight = key === "" ? this.#flights.startAlone() : this.#flights.start(key);
    const counted = policy.hotFromRatePerMinute < Number.POSITIVE_INFINITY;
    const localRate = counted ? this.#rate.count(hashKey(key)) : 0;
    const deadline = node.clock.now() + policy.timeoutMs;
    node.missed.seeMembers();
    this.#ask(owner, new OwnerLookup(flight, { input, localRate, deadline, canLeave }));
    return flight;
  }

  /** Asks a node, and counts the question and its end. */
  #ask(peer: Peer, question: OwnerLookup<T>): void {
    const { flight, input, canLeave } = question;
    const { counters, limits, memory, name, node } = this.#group;
    const { key } = flight;
    question.startedAt = node.clock.now();
    question.fence = memory.fences.get(key);
    const { fence } = question;
    const timeoutMs = question.deadline - question.startedAt;
    counters.loadsDeduped++;
    flight.counted = false;
    lookUp(peer, {
      lookup: { group: name, key, input, fence, timeoutMs },
      options: canLeave ? { signal: flight.signal } : undefined,
    }).then(
      (answer) => {
        if (flight.settled) return;
        // It was not asked for its memory alone: this is no "there is none".
        if (answer.missing) this.#takeFailure(question, peer, unanswered(peer));
        else this.#takeAnswer(question, answer);
      },
      (reason: unknown) => {
        if (flight.settled) return;
        this.#takeFailure(question, peer, limits.typed(reason, "PEER_UNREACHABLE"));
      },
    );
  }

  #takeAnswer(question: OwnerLookup<T>, answer: PeerAnswer): void {
    const { flight, fence } = question;
    const { counters, limits, memory } = this.#group;
    const { value } = answer;
    counters.peerLoads++;
    this.#flights.end(flight);
    try {
      limits.checkValue(value);
      // Counted from the question: only that is surely no later than the owner's own count (I7).
      const freshUntil = question.startedAt + answer.ttlMs;
      if (!flight.detached) {
        // Not detached, so what we stand at is still what the owner was asked with.
        if (fence !== 0) memory.fences.adopt(flight.key, answer.fence);
        this.#keepIfHot(question, { answer, freshUntil });
      }
      flight.resolve(new LoadedValue(value, freshUntil));
    } catch (error) {
      flight.reject(limits.typed(error, "ORIGIN_FAILED"));
    }
  }

  #keepIfHot(
    question: OwnerLookup<T>,
    got: { readonly answer: PeerAnswer; readonly freshUntil: number },
  ): void {
    const { memory, node, policy, sweeps } = this.#group;
    const { answer, freshUntil } = got;
    const { key } = question.flight;
    const rate = Math.max(question.localRate, answer.ratePerMinute);
    // Asked in this way round, a time to live that is no number keeps nothing either.
    const isFresh = freshUntil > node.clock.now();
    if (!isFresh || rate < policy.hotFromRatePerMinute) return;
    const { value } = answer;
    const tags = this.#fetches.tagsOf({ key, input: question.input, value });
    // What a deputy has may be no more than a copy.
    if (question.isToFallbackOwner && sweeps.mayConcern(tags, question.startedAt)) return;
    memory.store(key, { value, freshUntil, hot: true, tags });
  }

  /**
   * Only a node out of reach may be replaced (invariant I5), within the caller's time: an owner by
   * its deputy, the member that would own the key without it, the same for every asker, so that the
   * origin is still asked once; a deputy, or an owner whose deputy this node is, by a fetch from here.
   */
  #takeFailure(question: OwnerLookup<T>, peer: Peer, error: ParsecError): void {
    const { flight, deadline } = question;
    const { counters, limits, node, policy } = this.#group;
    counters.peerErrors++;
    flight.counted = true;
    const remainingMs = deadline - node.clock.now();
    const mayLoad = error.code === "PEER_UNREACHABLE" && policy.onPeerFailure === "load";
    if (!mayLoad || remainingMs <= 0) {
      this.#flights.end(flight);
      flight.reject(mayLoad ? limits.timeout() : error);
      return;
    }
    // From here on it is this node that watches the time.
    flight.onSettled ??= node.clock.schedule(remainingMs, () => {
      this.#flights.cutShort(flight, limits.timeout());
    });
    const { key } = flight;
    const isFinal = question.isToFallbackOwner || key === "";
    const deputy = isFinal ? undefined : node.picker.pick(key, peer.id);
    if (deputy === undefined || deputy.id === peer.id) {
      this.#loadHere(question);
      return;
    }
    question.isToFallbackOwner = true;
    question.canLeave = true;
    this.#ask(deputy, question);
  }

  #loadHere({ flight, input }: OwnerLookup<T>): void {
    const { limits, memory } = this.#group;
    // Others knew sooner that the owner is gone, and had this node fetch in its stead.
    const copy = memory.copyToGive(flight.key);
    if (copy !== undefined) {
      this.#flights.end(flight);
      flight.resolve(new LoadedValue(copy.value, copy.freshUntil));
      return;
    }
    this.#fetches
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

function unanswered(peer: Peer): ParsecError {
  return new ParsecError(
    "PEER_UNREACHABLE",
    `${peer.id} answered as if asked for its memory alone`,
  );
}

/** A transport that throws instead of rejecting, or answers without a promise, must not leave the flight behind. */
function lookUp(
  peer: Peer,
  question: { readonly lookup: PeerLookup; readonly options: PeerCallOptions | undefined },
): Promise<PeerAnswer> {
  try {
    return Promise.resolve(peer.lookup(question.lookup, question.options));
  } catch (error) {
    return Promise.reject(error);
  }
}
