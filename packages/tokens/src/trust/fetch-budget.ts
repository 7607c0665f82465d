import type { WallClock } from "../wall-clock.ts";

/** Allows one extra fetch per cooldown, however many tokens ask for it. */
export interface FetchBudget {
  /** Takes the fetch; false when it was taken within the cooldown. */
  take(): boolean;
  /** Time until `take` succeeds. */
  waitMs(): number;
}

/** A budget whose first fetch is available at once. */
export function createFetchBudget(cooldownMs: number, now: WallClock): FetchBudget {
  let takenAtMs = Number.NEGATIVE_INFINITY;
  // Absolute, so that a wall clock set back does not stop the fetches.
  const waitMs = (): number => Math.max(0, cooldownMs - Math.abs(now() - takenAtMs));
  return {
    take() {
      if (waitMs() > 0) return false;
      takenAtMs = now();
      return true;
    },
    waitMs,
  };
}
