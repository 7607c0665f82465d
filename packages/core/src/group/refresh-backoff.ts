import type { Clock } from "../clock.ts";

const maxBackoffMs = 1_000;
/** The oldest keys are dropped first, which costs one origin fetch more. */
const maxKeys = 4_096;

/**
 * Backoff per key after a failed background refresh. The stale value is served meanwhile; without backoff
 * every reader would start another fetch from a failing origin.
 */
export class RefreshBackoff {
  readonly #clock: Clock;
  readonly #backoffMs: number;
  /** When each key may be refreshed again, oldest first. */
  readonly #endsAt: Map<string, number> = new Map();

  /** The backoff is a tenth of `staleWhileRevalidateMs`, at most a second. */
  constructor(clock: Clock, staleWhileRevalidateMs: number) {
    this.#clock = clock;
    this.#backoffMs = Math.min(maxBackoffMs, staleWhileRevalidateMs / 10);
  }

  isOver(key: string): boolean {
    if (this.#endsAt.size === 0) return true;
    const endsAt = this.#endsAt.get(key);
    return endsAt === undefined || this.#clock.now() >= endsAt;
  }

  failed(key: string): void {
    this.#endsAt.delete(key);
    this.#endsAt.set(key, this.#clock.now() + this.#backoffMs);
    if (this.#endsAt.size <= maxKeys) return;
    const [oldest] = this.#endsAt.keys();
    this.#endsAt.delete(oldest as string);
  }

  succeeded(key: string): void {
    if (this.#endsAt.size > 0) this.#endsAt.delete(key);
  }
}
