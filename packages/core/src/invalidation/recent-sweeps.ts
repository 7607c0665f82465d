import type { Clock } from "../clock.ts";
import type { PeerInvalidationTarget } from "../peer.ts";
import { absentTag } from "./absent-tag.ts";
import type { FenceTable } from "./fences.ts";

/** Beyond this number of tags, the whole group counts as swept. */
const maxTags = 10_000;

/**
 * The recent sweeps of a group: invalidations of a tag or of everything. They leave no fences, so while one
 * spreads through the cluster, a node that has applied it must not take the old value back from the memory
 * of a node that has not (invariant I2). Answers of owners need no such check, because all owners have
 * applied a sweep before its second round removes the copies.
 */
export class RecentSweeps {
  readonly #clock: Clock;
  readonly #fences: Pick<FenceTable, "forgottenUntil">;
  /** After this time both rounds of a sweep are complete, or the nodes that failed are listed in its result. */
  readonly #windowMs: number;
  /** When each tag was last invalidated, oldest first. */
  readonly #tags: Map<string, number> = new Map();
  #allAt = Number.NEGATIVE_INFINITY;

  /**
   * `timeoutMs` is the time limit of an invalidation in each of its two rounds. Fences that were forgotten
   * within the window count as a sweep of everything.
   */
  constructor(parts: {
    readonly clock: Clock;
    readonly timeoutMs: number;
    readonly fences: Pick<FenceTable, "forgottenUntil">;
  }) {
    this.#clock = parts.clock;
    this.#windowMs = 2 * parts.timeoutMs;
    this.#fences = parts.fences;
  }

  /** Records an invalidation applied here. */
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
    if (this.#tags.size <= maxTags) return;
    this.#tags.clear();
    this.#allAt = now;
  }

  /** Whether an entry with these tags, read from a peer's memory after `from`, may be older than a sweep applied here, or than an invalidation whose fence was forgotten. */
  mayConcern(tags: readonly string[], from: number): boolean {
    if (from < this.#clock.now() - this.#windowMs) return true;
    const since = from - this.#windowMs;
    if (Math.max(this.#allAt, this.#fences.forgottenUntil) >= since) return true;
    return tags.some((tag) => (this.#tags.get(tag) ?? Number.NEGATIVE_INFINITY) >= since);
  }
}
