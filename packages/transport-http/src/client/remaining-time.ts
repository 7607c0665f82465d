/** What an answer says about the time to live of its value. */
export interface AnswerTimes {
  /** The header of Parsec nodes: the remaining time in ms, independent of clocks. */
  readonly ttlMs: string | string[] | undefined;
  /** The `Date` header: the owner's wall clock in whole seconds. */
  readonly date: string | string[] | undefined;
  /** `expire` of groupcache-go v3 and mailgun/groupcache, by the owner's wall clock. */
  readonly expiresAtMs: number | undefined;
  /** This node's wall clock. */
  readonly nowMs: number;
}

/** `Date` is rounded down to a second, so the owner's clock was at most this much later. */
const dateErrorMs = 999;

/**
 * The remaining time to live of an answer, in ms; `Infinity` when it says nothing, as golang/groupcache.
 * `expire` is a time of the owner's clock: where `Date` shows that it differs from this node's, the
 * remaining time is taken from `Date`, and rather too short than too long.
 */
export function remainingMs(times: AnswerTimes): number {
  if (times.ttlMs !== undefined) {
    const ttlMs = Number(times.ttlMs);
    return Number.isNaN(ttlMs) ? 0 : Math.max(ttlMs, 0);
  }
  if (times.expiresAtMs === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(times.expiresAtMs - ownersNowMs(times), 0);
}

function ownersNowMs({ date, nowMs }: AnswerTimes): number {
  const dateMs = Date.parse(String(date));
  const isSameClock = nowMs >= dateMs && nowMs <= dateMs + dateErrorMs;
  return Number.isNaN(dateMs) || isSameClock ? nowMs : dateMs + dateErrorMs;
}
