import type { Clock } from "../clock.ts";

const longestPauseMs = 1_000;
/** Keys remembered; the oldest are forgotten first, which costs their origin one question more. */
const keptKeys = 4_096;

/**
 * Holds back renewing what an origin has just failed to renew. The stale value is served meanwhile, so
 * nobody waits; without a pause an origin in trouble would be asked anew by every reader.
 */
export class RefreshBackoff {
  readonly #clock: Clock;
  readonly #pauseMs: number;
  /** When each key may be tried again, oldest first. */
  readonly #endsAt: Map<string, number> = new Map();

  /** A tenth of the time for which stale values are served, and a second at most. */
  constructor(clock: Clock, staleWhileRevalidateMs: number) {
    this.#clock = clock;
    this.#pauseMs = Math.min(longestPauseMs, staleWhileRevalidateMs / 10);
  }

  isOver(key: string): boolean {
    if (this.#endsAt.size === 0) return true;
    const endsAt = this.#endsAt.get(key);
    return endsAt === undefined || this.#clock.now() >= endsAt;
  }

  failed(key: string): void {
    this.#endsAt.delete(key);
    this.#endsAt.set(key, this.#clock.now() + this.#pauseMs);
    if (this.#endsAt.size <= keptKeys) return;
    const [oldest] = this.#endsAt.keys();
    this.#endsAt.delete(oldest as string);
  }

  succeeded(key: string): void {
    if (this.#endsAt.size > 0) this.#endsAt.delete(key);
  }
}
