import type { Clock } from "../clock.ts";
import type { Peer } from "../peer.ts";

/** What the question may cost a caller: a memory that does not answer by then is no quicker than most origins. */
const formerOwnerTimeoutMs = 100;

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
