import type { LiveMember } from "../table/plan-survivors.ts";
import type { RingTable } from "../table/ring-table.ts";
import type { LeaseRecord } from "./lease-record.ts";
import type { LeaseTiming } from "./own-lease.ts";

interface Lease {
  readonly record: LeaseRecord;
  readonly revision: number;
  heardAtMs: number;
}

/** A session whose record was removed, but whose lease may not have expired yet. */
interface Ghost {
  readonly record: LeaseRecord | undefined;
  readonly deadAtMs: number;
}

/** A member that has not renewed its lease for so long that its record, in this revision, may be removed. */
export interface SilentMember {
  readonly key: string;
  readonly id: string;
  readonly session: string;
  readonly revision: number;
}

/**
 * Tracks which sessions of other nodes may still serve, by the renewals that this node received and when, on
 * its own clock. A session is dead only when it cannot renew any more, because its record was removed or replaced
 * by compare-and-set, and its last renewal has expired.
 */
export class MemberViews {
  readonly #graceMs: number;
  readonly #leases: Map<string, Lease> = new Map();
  readonly #ghosts: Map<string, Ghost> = new Map();
  readonly #dead: Set<string> = new Set();

  constructor(timing: LeaseTiming) {
    this.#graceMs = timing.leaseMs + timing.marginMs;
  }

  /** All records were read again: `heard` follows for those in `keys`; the others do not exist. */
  retain(keys: ReadonlySet<string>, nowMs: number): void {
    for (const key of [...this.#leases.keys()]) if (!keys.has(key)) this.removed(key, nowMs);
  }

  /** The storage was created anew: earlier revisions mean nothing, and no session is known to be dead. */
  forget(nowMs: number): void {
    for (const key of [...this.#leases.keys()]) this.removed(key, nowMs);
    this.#dead.clear();
  }

  heard(
    key: string,
    lease: { readonly record: LeaseRecord; readonly revision: number },
    nowMs: number,
  ): void {
    const { record, revision } = lease;
    const known = this.#leases.get(key);
    if (known !== undefined && known.revision >= revision) return;
    if (known !== undefined && known.record.session !== record.session) {
      // Its last renewal is the one received if that was replaced; otherwise it came just before.
      const lastMs = record.replaced === known.revision ? known.heardAtMs : nowMs;
      this.#haunt(known.record, lastMs);
    }
    if (record.status === "gone") {
      this.#leases.delete(key);
      this.#dead.add(record.session);
      return;
    }
    this.#leases.set(key, { record, revision, heardAtMs: nowMs });
    // It renews again: should it be missed once more, its full time starts over.
    this.#ghosts.delete(record.session);
  }

  removed(key: string, nowMs: number): void {
    const known = this.#leases.get(key);
    this.#leases.delete(key);
    if (known !== undefined) this.#haunt(known.record, nowMs);
  }

  /** This node removed the record itself, after the lease had expired. */
  declaredDead(silent: SilentMember): void {
    if (this.#leases.get(silent.key)?.record.session === silent.session) {
      this.#leases.delete(silent.key);
    }
    this.#ghosts.delete(silent.session);
    this.#dead.add(silent.session);
  }

  /** Restarts the deadlines of all members, because this node itself received nothing for a while. */
  resetDeadlines(nowMs: number): void {
    for (const lease of this.#leases.values()) lease.heardAtMs = nowMs;
  }

  /** Marks a session as dead at once: an ended one of this process, or one that announced that it stopped serving. */
  knownDead(session: string): void {
    this.#ghosts.delete(session);
    this.#dead.add(session);
  }

  /**
   * The living members, for the plan: `self`, those that renew, and sessions of the table that have not expired.
   * Sessions that this node never heard of get the full time. One session for each id, the older one first.
   */
  living(table: RingTable | undefined, options: { self: LiveMember; nowMs: number }): LiveMember[] {
    const { self, nowMs } = options;
    for (const [session, { deadAtMs }] of this.#ghosts) {
      if (deadAtMs <= nowMs) this.knownDead(session);
    }
    const living = new Map([[self.id, self]]);
    for (const { record } of this.#leases.values()) living.set(record.id, liveMember(record));
    for (const { id, session, address, zone, weight, present } of table?.members ?? []) {
      if (!present || this.#dead.has(session) || living.get(id)?.session === session) continue;
      if (!this.#ghosts.has(session)) {
        this.#ghosts.set(session, { record: undefined, deadAtMs: nowMs + this.#graceMs });
      }
      const durable = this.#ghosts.get(session)?.record?.durable ?? false;
      living.set(id, { id, session, address, zone, weight, durable });
    }
    this.#prune(table);
    return [...living.values()];
  }

  /** Members that have not renewed for longer than a lease lasts. */
  silent(nowMs: number): SilentMember[] {
    return [...this.#leases]
      .filter(([, { heardAtMs }]) => nowMs - heardAtMs > this.#graceMs)
      .map(([key, { record, revision }]) => {
        return { key, id: record.id, session: record.session, revision };
      });
  }

  /** Milliseconds until the next deadline. */
  nextChangeMs(nowMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { heardAtMs } of this.#leases.values()) {
      next = Math.min(next, heardAtMs + this.#graceMs - nowMs);
    }
    for (const { deadAtMs } of this.#ghosts.values()) next = Math.min(next, deadAtMs - nowMs);
    return Math.max(next, 0);
  }

  #haunt(record: LeaseRecord, lastRenewedMs: number): void {
    if (record.status === "gone" || this.#dead.has(record.session)) return;
    this.#ghosts.set(record.session, { record, deadAtMs: lastRenewedMs + this.#graceMs });
  }

  #prune(table: RingTable | undefined): void {
    if (this.#dead.size < 1000) return;
    const named = new Set(table?.members.map(({ session }) => session));
    for (const session of this.#dead) if (!named.has(session)) this.#dead.delete(session);
  }
}

function liveMember(record: LeaseRecord): LiveMember {
  const { id, session, address, zone, durable, status } = record;
  const weight = status === "leaving" ? 0 : record.weight;
  return { id, session, address, zone, weight, durable };
}
