import type { ParsecError } from "@parsec/core";
import type { Coordinator, CoordinatorEntry } from "../coordinator/coordinator.ts";
import { WriteConflict } from "../coordinator/coordinator.ts";
import { decodeLease, isLeaseKey, type LeaseRecord } from "../lease/lease-record.ts";
import { MemberViews } from "../lease/member-views.ts";
import type { OwnLease } from "../lease/own-lease.ts";
import type { RingSettings } from "../ring-options.ts";
import { planTable } from "../table/plan.ts";
import type { LiveMember } from "../table/plan-survivors.ts";
import type { RingTable } from "../table/ring-table.ts";

export interface MembershipOptions {
  readonly settings: RingSettings;
  readonly coordinator: Coordinator;
  readonly lease: OwnLease;
  readonly table: () => RingTable | undefined;
  readonly onError: (error: ParsecError) => void;
}

/** Tracks the living members, declares dead ones dead, and plans the table that follows. */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #views: MemberViews;
  readonly #removing: Set<string> = new Set();
  /** When a session of the table was first found dead. */
  readonly #missedAtMs: Map<string, number> = new Map();
  #joinedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#views = new MemberViews(options.settings);
  }

  read(entries: readonly CoordinatorEntry[], isSameStore: boolean): void {
    const now = this.#options.settings.clock.now();
    const { key: ownKey } = this.#options.lease;
    if (!isSameStore) this.#views.forget(now);
    const leases = entries.filter(({ key, value }) => {
      return isLeaseKey(key) && key !== ownKey && value !== undefined;
    });
    this.#views.retain(new Set(leases.map(({ key }) => key)), now);
    for (const entry of leases) this.changed(entry);
  }

  /** Takes a changed lease of another node. */
  changed(entry: CoordinatorEntry): void {
    const { key, value, revision } = entry;
    const now = this.#options.settings.clock.now();
    if (value === undefined) {
      this.#views.removed(key, now);
      return;
    }
    const record = this.decode(entry);
    if (record === undefined) return;
    if (!this.#isKnown(record.session)) this.#joinedAtMs = now;
    this.#views.heard(key, { record, revision }, now);
  }

  /** Decodes a lease; an unreadable one is reported, and undefined. */
  decode({ key, value }: CoordinatorEntry): LeaseRecord | undefined {
    try {
      return value === undefined ? undefined : decodeLease(key, value);
    } catch (error) {
      this.#options.onError(error as ParsecError);
      return undefined;
    }
  }

  /** Restarts the deadlines of all members, because this node received nothing for a while. */
  resetDeadlines(): void {
    this.#views.resetDeadlines(this.#options.settings.clock.now());
  }

  knownDead(session: string): void {
    this.#views.knownDead(session);
  }

  /** How long a change of members should wait for further ones. */
  get settleMs(): number {
    const { clock, joinDelayMs } = this.#options.settings;
    return Math.max(0, this.#joinedAtMs + joinDelayMs - clock.now());
  }

  get nextChangeMs(): number {
    return this.#views.nextChangeMs(this.#options.settings.clock.now());
  }

  living(table: RingTable | undefined): LiveMember[] {
    const nowMs = this.#options.settings.clock.now();
    return this.#views.living(table, { self: this.#self, nowMs });
  }

  /** Returns the table for the members that are alive by the view of this node. */
  plan(table: RingTable): RingTable {
    const members = this.living(table);
    const { maxMoves } = this.#options.settings;
    return planTable(table, { members, awaited: this.#awaited(table, members), maxMoves });
  }

  /** Removes the records of members whose lease has expired, unless they are renewed at the same moment. */
  declareDead(): void {
    const { coordinator, settings, onError } = this.#options;
    for (const silent of this.#views.silent(settings.clock.now())) {
      if (this.#removing.has(silent.key)) continue;
      this.#removing.add(silent.key);
      coordinator
        .remove(silent.key, { revision: silent.revision, timeoutMs: settings.leaseMs })
        .then(
          () => this.#views.declaredDead(silent),
          (error: unknown) => {
            // It renewed, or another node was faster: the next read shows which.
            if (error instanceof WriteConflict) coordinator.resync();
            else onError(error as ParsecError);
          },
        )
        .finally(() => this.#removing.delete(silent.key));
    }
  }

  get #self(): LiveMember {
    const { id, session, address, zone, durable, status, weight } = this.#options.lease.record;
    return { id, session, address, zone, durable, weight: status === "active" ? weight : 0 };
  }

  #isKnown(session: string): boolean {
    return this.#options.table()?.members.some((member) => member.session === session) === true;
  }

  #awaited(table: RingTable, members: readonly LiveMember[]): ReadonlySet<string> {
    const { clock, rejoinGraceMs } = this.#options.settings;
    const now = clock.now();
    const sessions = new Set(members.map(({ session }) => session));
    const awaited = new Set<string>();
    const named = new Set(table.members.map(({ session }) => session));
    for (const session of this.#missedAtMs.keys()) {
      if (!named.has(session)) this.#missedAtMs.delete(session);
    }
    for (const { id, session } of table.members) {
      if (sessions.has(session)) continue;
      const missedAt = this.#missedAtMs.get(session) ?? now;
      this.#missedAtMs.set(session, missedAt);
      if (now - missedAt < rejoinGraceMs) awaited.add(id);
    }
    return awaited;
  }
}
