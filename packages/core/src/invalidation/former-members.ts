import type { PeerInvalidation } from "../peer.ts";

/** Former members that are remembered, because they may return, such as after a failure of the discovery. */
const maxFormerMembers = 256;
/** How long a former member is remembered. */
const memoryMs = 3_600_000;
/** A longer log is cut: its older half is replaced by one invalidation of "everything" for each group. */
const maxLogged = 1_024;

interface FormerMember {
  readonly leftAt: number;
  /** The position in the log of the first invalidation made without it. */
  readonly position: number;
}

/**
 * The last 256 nodes that left within the last hour, and the invalidations made since. They share one log, so
 * that an invalidation costs the same for any number of former members.
 */
export class FormerMembers {
  /** The first to leave first. */
  readonly #left: Map<string, FormerMember> = new Map();
  #log: PeerInvalidation[] = [];
  /** The position of the first invalidation in the log. */
  #start = 0;
  /** For each group the newest fence that was cut from the log, and its position. */
  readonly #cut: Map<string, { readonly fence: number; readonly position: number }> = new Map();

  get size(): number {
    return this.#left.size;
  }

  has(id: string): boolean {
    return this.#left.has(id);
  }

  /** Whether any former member has missed an invalidation. */
  get hasMissed(): boolean {
    return this.#log.length > 0 || this.#cut.size > 0;
  }

  left(id: string, now: number): void {
    this.#left.delete(id);
    this.#left.set(id, { leftAt: now, position: this.#start + this.#log.length });
  }

  /** Forgets a member that is back, and returns what it missed. */
  returned(id: string): PeerInvalidation[] {
    const missed = this.missedBy(id);
    if (this.#left.delete(id)) this.#trim();
    return missed;
  }

  /** Forgets those that left too long ago, or before too many others. Returns their ids. */
  forget(now: number): string[] {
    const forgotten: string[] = [];
    for (const [id, { leftAt }] of this.#left) {
      if (this.#left.size <= maxFormerMembers && leftAt + memoryMs > now) break;
      this.#left.delete(id);
      forgotten.push(id);
    }
    if (forgotten.length > 0) this.#trim();
    return forgotten;
  }

  /** Logs an invalidation that is made without the former members. */
  add(invalidation: PeerInvalidation): void {
    if (this.#left.size === 0) return;
    this.#log.push(invalidation);
    if (this.#log.length <= maxLogged) return;
    for (const { group, fence } of this.#log.splice(0, maxLogged / 2)) {
      this.#cut.set(group, { fence, position: this.#start++ });
    }
  }

  /** What each former member has missed so far, for those that missed anything. */
  *missed(): Iterable<[string, PeerInvalidation[]]> {
    for (const id of this.#left.keys()) {
      const missed = this.missedBy(id);
      if (missed.length > 0) yield [id, missed];
    }
  }

  /** What a former member has missed so far. */
  missedBy(id: string): PeerInvalidation[] {
    const member = this.#left.get(id);
    if (member === undefined) return [];
    const missed = this.#log.slice(Math.max(0, member.position - this.#start));
    const cut: PeerInvalidation[] = [];
    for (const [group, { fence, position }] of this.#cut) {
      if (position >= member.position) cut.push({ group, fence, target: { kind: "all" } });
    }
    return [...cut, ...missed];
  }

  /** Drops what no former member has missed. */
  #trim(): void {
    const [first] = this.#left.values();
    const needed = first?.position ?? Number.POSITIVE_INFINITY;
    const unneeded = Math.min(this.#log.length, Math.max(0, needed - this.#start));
    this.#log.splice(0, unneeded);
    this.#start += unneeded;
    for (const [group, { position }] of this.#cut) {
      if (position < needed) this.#cut.delete(group);
    }
  }
}
