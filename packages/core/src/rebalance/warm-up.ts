import type { Clock } from "../clock.ts";
import type { Peer, PeerPicker } from "../peer.ts";

/** What the question may cost a caller: a memory that does not answer by then is no quicker than most origins. */
const formerOwnerTimeoutMs = 100;
/** How long a node that has just come asks the former owner of a key before it goes to the origin. */
const warmUpMs = 60_000;

/**
 * While a node is new, the keys it owns lie in the memories of those who owned them before it came,
 * which are those who would own them if it were not there. Asking them spares the origin a stampede
 * at each join and restart (ADR 0007).
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

  /** Begins anew, such as after this node was cut off. */
  restart(): void {
    this.#endsAt = this.#clock.now() + warmUpMs;
  }

  /** Who may have the value of a key this node owns; undefined once the node is warm, or has no peers. */
  formerOwner(key: string): Peer | undefined {
    if (this.#clock.now() >= this.#endsAt) return undefined;
    return this.#picker.pick(key, this.#picker.selfId);
  }
}

/** What a former owner still had in memory. */
export interface FormerValue {
  readonly askedAt: number;
  readonly value: Uint8Array | undefined;
  readonly freshUntil: number;
  /** What the former owner stands at for the key. */
  readonly fence: number;
}

/**
 * Looks into the memory of a key's former owner. It answers at once or not in time, and never waits
 * for anything itself, so that no two nodes can wait for each other (invariant I6). Undefined when
 * there is nothing fresh, for whatever reason: the origin knows better in any case.
 */
export async function askFormerOwner(
  peer: Peer,
  question: {
    readonly group: string;
    readonly key: string;
    readonly fence: number;
    readonly timeoutMs: number;
    readonly clock: Clock;
  },
): Promise<FormerValue | undefined> {
  const { group, key, fence, clock } = question;
  const timeoutMs = Math.min(formerOwnerTimeoutMs, question.timeoutMs);
  const askedAt = clock.now();
  try {
    const lookup = { group, key, input: undefined, fence, timeoutMs, memoryOnly: true };
    const answer = await peer.lookup(lookup);
    // Counted from the question: only that is surely no later than the other's own count (I7).
    const freshUntil = askedAt + answer.ttlMs;
    // Asked in this way round, a time to live that is no number brings nothing either.
    const isFresh = freshUntil > clock.now();
    if (answer.missing || !isFresh) return undefined;
    return { askedAt, value: answer.value, freshUntil, fence: answer.fence };
  } catch {
    return undefined;
  }
}
