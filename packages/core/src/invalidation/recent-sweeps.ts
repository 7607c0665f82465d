import type { Clock } from "../clock.ts";
import type { PeerInvalidationTarget } from "../peer.ts";
import { absentTag } from "./tag-index.ts";

/** With more than so many tags to remember, all are taken for swept. */
const keptTags = 10_000;

/**
 * Which tags were invalidated here lately. Such invalidations, and those of the whole group, leave no
 * fences: while one is on its way round the cluster, a node that has applied it must not take the
 * old value back out of the memory of one that has not (invariant I2). Answers of owners need no such
 * care, because all owners have applied it before the second round removes the copies.
 */
export class RecentSweeps {
  readonly #clock: Clock;
  /** By then an invalidation has been round the cluster twice, or somebody was named as not reached. */
  readonly #windowMs: number;
  /** When each tag was last invalidated, the latest at the end. */
  readonly #tags: Map<string, number> = new Map();
  #allAt = Number.NEGATIVE_INFINITY;

  /** `timeoutMs` is how long an invalidation waits for a peer, in each of its rounds. */
  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#windowMs = 2 * timeoutMs;
  }

  /** Takes note of an invalidation that has been applied here. */
  note(target: PeerInvalidationTarget): void {
    const now = this.#clock.now();
    if (target.kind === "all") this.#allAt = now;
    if (target.kind !== "tag") return;
    for (const [tag, at] of this.#tags) {
      if (at >= now - 2 * this.#windowMs) break;
      this.#tags.delete(tag);
    }
    for (const tag of [target.tag, absentTag]) {
      this.#tags.delete(tag);
      this.#tags.set(tag, now);
    }
    if (this.#tags.size <= keptTags) return;
    this.#tags.clear();
    this.#allAt = now;
  }

  /** Whether what a peer read out of its memory after `from` may be older than an invalidation applied here. */
  mayConcern(tags: readonly string[], from: number): boolean {
    if (from < this.#clock.now() - this.#windowMs) return true;
    const since = from - this.#windowMs;
    if (this.#allAt >= since) return true;
    return tags.some((tag) => (this.#tags.get(tag) ?? Number.NEGATIVE_INFINITY) >= since);
  }
}
