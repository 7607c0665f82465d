import type { Clock } from "../clock.ts";
import type { Peer, PeerPicker } from "../peer.ts";

/** Time limit of a lookup at a former owner: beyond it most origins are faster. */
const formerOwnerTimeoutMs = 100;
/** How long a new node looks keys up at their former owners before it uses the origin. */
const warmUpMs = 60_000;

/**
 * Warm-up of a new node: the keys it owns are in the memory of their former owners, the nodes that would own
 * them without it. Looking them up there spares the origin a stampede at each join and restart (ADR 0007).
 */
export class WarmUp {
  readonly #clock: Clock;
  readonly #picker: PeerPicker;
  #endsAt: number;

  constructor(clock: Clock, picker: PeerPicker) {
    this.#clock = clock;
    this.#picker = picker;
    this.#endsAt = clock.now() + warmUpMs;
  }

  /** Starts another warm-up, such as after a network partition. */
  restart(): void {
    this.#endsAt = this.#clock.now() + warmUpMs;
  }

  /** The former owner of a key that this node owns; undefined after the warm-up or without peers. */
  formerOwner(key: string): Peer | undefined {
    if (this.#clock.now() >= this.#endsAt) return undefined;
    return this.#picker.pick(key, this.#picker.selfId);
  }
}

/** A value from the memory of a former owner. */
export interface FormerValue {
  readonly requestedAt: number;
  readonly value: Uint8Array | undefined;
  readonly freshUntil: number;
  /** The former owner's combined fence of the key. */
  readonly fence: number;
}

/**
 * Looks a key up in the memory of its former owner, which answers without a load, so that two nodes cannot
 * wait for each other (invariant I6). Returns undefined when there is no fresh entry or the lookup fails for
 * any reason: the caller then uses the origin.
 */
export async function lookUpFormerOwner(
  peer: Peer,
  request: {
    readonly group: string;
    readonly key: string;
    readonly fence: number;
    readonly timeoutMs: number;
    readonly clock: Clock;
  },
): Promise<FormerValue | undefined> {
  const { group, key, fence, clock } = request;
  const timeoutMs = Math.min(formerOwnerTimeoutMs, request.timeoutMs);
  const askedAt = clock.now();
  try {
    const lookup = { group, key, input: undefined, fence, timeoutMs, memoryOnly: true };
    const answer = await peer.lookup(lookup);
    // Counted from the request, which is certainly not later than the former owner's reading of its clock (I7).
    const freshUntil = askedAt + answer.ttlMs;
    // Written so that NaN counts as expired.
    const isFresh = freshUntil > clock.now();
    if (answer.missing || !isFresh) return undefined;
    return { requestedAt: askedAt, value: answer.value, freshUntil, fence: answer.fence };
  } catch {
    return undefined;
  }
}
