import type { ParsecError } from "@parsec/core";
import type { Coordinator, CoordinatorEntry } from "../coordinator/coordinator.ts";
import { OwnLease } from "../lease/own-lease.ts";
import type { Link } from "../link/link.ts";
import { PartitionTerms } from "../ownership/partition-terms.ts";
import { BackupRequestHandler } from "../replication/backup-request-handler.ts";
import type { RingEvent } from "../ring-events.ts";
import type { RingSettings } from "../ring-options.ts";
import { OwnerRequestHandler, type RingHandler } from "../routing/owner-request-handler.ts";
import { memberOf, type RingTable } from "../table/ring-table.ts";
import { TableKeeper, tableKey } from "../table/table-keeper.ts";
import { Membership } from "./membership.ts";
import { RequestDispatcher } from "./request-dispatcher.ts";
import { TableWatch } from "./table-watch.ts";

export interface RingNodeOptions {
  readonly settings: RingSettings;
  readonly coordinator: Coordinator;
  readonly link: Link;
  readonly handlers: ReadonlyMap<string, RingHandler>;
  readonly emit: (event: RingEvent) => void;
  /** Called when the table changed, and with each error. */
  readonly onProgress: (error: ParsecError | undefined) => void;
}

const pieceBytes = 256 * 1024;
const tickMs = 100;
const tableWaitMs = 200;

/** One running node of a ring: follows the coordinator, renews its lease, plans the table, and serves other nodes. */
export class RingNode {
  readonly table: TableKeeper;
  readonly lease: OwnLease;
  readonly membership: Membership;
  readonly terms: PartitionTerms;
  readonly ownerRequests: OwnerRequestHandler;
  readonly watch: TableWatch;
  readonly #options: RingNodeOptions;
  readonly #backupRequests: BackupRequestHandler;
  readonly #dispatcher: RequestDispatcher;
  #store: string | undefined = undefined;
  #incarnationSeenAtMs = 0;
  #members: ReadonlySet<string> = new Set();
  #addresses: ReadonlySet<string> = new Set();
  #planned = "";
  #lastError: ParsecError | undefined = undefined;
  #cancelTick: (() => void) | undefined = undefined;
  #cancelPlan: (() => void) | undefined = undefined;
  #closed = false;

  constructor(options: RingNodeOptions) {
    this.#options = options;
    const { settings, coordinator, link, handlers, emit } = options;
    const {
      clock,
      node: id,
      zone,
      weight,
      durable,
      leaseMs,
      marginMs,
      partitions,
      replicas,
    } = settings;
    const onError = (error: ParsecError): void => this.#failed(error);
    this.watch = new TableWatch(clock, tableWaitMs);
    this.lease = new OwnLease({
      leaseMs,
      marginMs,
      clock,
      wallNow: () => Date.now(),
      coordinator,
      self: { id, address: link.address, zone, weight, durable },
      onValid: () => this.#valid(),
      onInvalid: (reason) => emit({ type: "fenced", reason }),
      onReplaced: (session) => this.#replaced(session),
      onError,
    });
    this.table = new TableKeeper({
      coordinator,
      clock,
      partitions,
      replicas,
      writeTimeoutMs: leaseMs,
      mayWrite: () => this.lease.isValid,
      plan: (table) => this.membership.plan(table),
      onTable: (table, isNew) => this.#tableChanged(table, isNew),
      onMissing: () => this.#tableDeleted(),
      onError,
    });
    const table = (): RingTable | undefined => this.table.table;
    this.membership = new Membership({ settings, coordinator, lease: this.lease, table, onError });
    this.terms = new PartitionTerms({
      settings,
      link,
      pieceBytes,
      table,
      session: () => this.lease.session,
      quietAtMs: () => this.#quietAtMs,
      propose: (change, delayMs) => this.table.propose(change, delayMs),
      resync: () => coordinator.resync(),
      isReserved: (partition) => this.#backupRequests.isReserved(partition),
      onOwned: (partition) => this.#backupRequests.abandonCopy(partition),
      emit,
    });
    this.ownerRequests = new OwnerRequestHandler({
      table,
      isValid: () => this.lease.isValid,
      selfId: id,
      termOf: (partition) => this.terms.termOf(partition),
      replicaOf: settings.state && ((partition) => this.terms.replicaOf(partition)),
      handlers,
      defaultAck: settings.ack,
      whenTable: (epoch) => this.watch.reach(epoch),
    });
    this.#backupRequests = new BackupRequestHandler({
      table,
      replicaOf: (partition) => this.terms.replicaOf(partition),
      owns: (partition) => this.terms.termOf(partition) !== undefined,
      isRecovering: (partition, partEpoch) => {
        const term = this.terms.termOf(partition);
        return term?.phase === "recovering" && term.epoch === partEpoch;
      },
      clock,
      copyIdleMs: Math.max(10_000, settings.replicaTimeoutMs * 2),
    });
    this.#dispatcher = new RequestDispatcher({
      settings,
      link,
      pieceBytes,
      table,
      watch: this.watch,
      terms: this.terms,
      ownerRequests: this.ownerRequests,
      backupRequests: this.#backupRequests,
    });
  }

  get lastError(): ParsecError | undefined {
    return this.#lastError;
  }

  /** Whether the current session is in the table. */
  get isMember(): boolean {
    const member = memberOf(this.table.table, this.#options.settings.node);
    return member?.session === this.lease.session;
  }

  start(): void {
    this.#options.link.serve((request) => this.#dispatcher.answer(request));
    this.#options.coordinator.start({
      snapshot: (entries, store) => this.#snapshot(entries, store),
      changed: (entry) => this.#changed(entry),
      lost: (reason) => this.#lost(reason),
      warning: (message) => this.#options.emit({ type: "warning", message }),
    });
    this.#tick();
  }

  /** Stops serving. */
  stop(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#dispatcher.close();
    this.#cancelTick?.();
    this.#cancelPlan?.();
    this.lease.fence(reason);
    this.terms.endAll(reason);
    this.table.close();
    this.#backupRequests.abandonCopies();
  }

  get #quietAtMs(): number {
    const { coordinator, settings } = this.#options;
    if (!coordinator.mayForget) return Number.NEGATIVE_INFINITY;
    return this.#incarnationSeenAtMs + settings.leaseMs + settings.marginMs;
  }

  #snapshot(entries: readonly CoordinatorEntry[], store: string): void {
    if (this.#closed) return;
    const isSameStore = this.#store === store;
    const tableEntry = entries.find(({ key }) => key === tableKey);
    if (this.#store !== undefined && !isSameStore) {
      this.lease.fence("the store was deleted and created anew");
    }
    this.#store = store;
    this.membership.read(entries, isSameStore);
    const own = entries.find(({ key }) => key === this.lease.key);
    this.lease.connected(own && this.#ownEntry(own));
    this.table.read(tableEntry, isSameStore);
    this.#reconsider();
  }

  #changed(entry: CoordinatorEntry): void {
    if (this.#closed) return;
    if (entry.key === tableKey) {
      this.table.changed(entry);
      return;
    }
    if (entry.key === this.lease.key) this.lease.seen(this.#ownEntry(entry));
    else this.membership.changed(entry);
    this.#reconsider();
  }

  #ownEntry(entry: CoordinatorEntry): {
    readonly revision: number;
    readonly session: string | undefined;
  } {
    const { revision } = entry;
    const record = this.membership.decode(entry);
    if (record === undefined) {
      return { revision, session: entry.value === undefined ? undefined : "unreadable" };
    }
    if (record.status === "gone") this.membership.knownDead(record.session);
    return { revision, session: record.session };
  }

  #lost(reason: ParsecError): void {
    if (this.#closed) return;
    this.lease.disconnected();
    this.table.lost();
    this.#failed(reason);
  }

  #failed(error: ParsecError): void {
    if (this.#closed) return;
    this.#lastError = error;
    this.#options.onProgress(error);
  }

  #valid(): void {
    this.membership.resetDeadlines();
    this.#options.emit({ type: "unfenced" });
    this.#planned = "";
    this.table.kick();
    this.#reconsider();
  }

  #replaced(session: string): void {
    this.membership.knownDead(session);
    this.terms.endAll("this node was declared dead");
    this.#backupRequests.abandonCopies();
    const reason = "its lease was removed or taken over";
    this.#options.emit({ type: "rejoining", reason });
  }

  #tableChanged(table: RingTable, isNew: boolean): void {
    if (isNew) {
      this.#incarnationSeenAtMs = this.#options.settings.clock.now();
      this.#backupRequests.newIncarnation();
      this.terms.endAll("the ring's table was lost and created anew");
    }
    this.#reportMembers(table);
    this.terms.apply(table);
    this.watch.changed(table);
    const { epoch, incarnation } = table;
    this.#options.emit({ type: "table", epoch, incarnation });
    this.#options.onProgress(undefined);
    this.#reconsider();
  }

  #tableDeleted(): void {
    this.terms.endAll("the ring's table was lost");
    this.#options.emit({ type: "rejoining", reason: "the table was deleted" });
    this.#reconsider();
  }

  #reportMembers(table: RingTable): void {
    const members = new Set(table.members.filter(({ present }) => present).map(({ id }) => id));
    for (const id of members) {
      if (!this.#members.has(id)) this.#options.emit({ type: "member-joined", id });
    }
    for (const id of this.#members) {
      if (!members.has(id)) this.#options.emit({ type: "member-left", id });
    }
    this.#members = members;
    const addresses = new Set(table.members.map(({ address }) => address));
    for (const address of this.#addresses) {
      if (!addresses.has(address)) this.#options.link.abandon(address);
    }
    this.#addresses = addresses;
  }

  /** Plans a new table when the current one does not fit the living members. */
  #reconsider(): void {
    const table = this.table.table;
    if (this.#closed || !this.lease.isValid) return;
    const members = this.membership.living(table);
    const facts = members.map(({ id, session, weight }) => [id, session, weight]);
    const planned = JSON.stringify([table?.incarnation, table?.epoch, facts]);
    const { rejoinGraceMs } = this.#options.settings;
    const waits = table?.members.some(({ present }) => !present) === true && rejoinGraceMs > 0;
    if (planned === this.#planned && !waits) return;
    this.#planned = planned;
    if (table !== undefined && this.membership.plan(table) === table) return;
    this.#planLater(
      table,
      members.map(({ id }) => id),
    );
  }

  /** Staggered, so that not all nodes write the same table; the first one usually suffices. */
  #planLater(table: RingTable | undefined, ids: readonly string[]): void {
    const { settings } = this.#options;
    const rank = [...ids].sort().indexOf(settings.node);
    const isCrash = table?.members.some(({ id }) => !ids.includes(id)) === true;
    const delayMs = (isCrash ? 0 : this.membership.settleMs) + Math.max(0, rank) * 10;
    this.#cancelPlan?.();
    this.#cancelPlan = settings.clock.schedule(delayMs, () => {
      this.#cancelPlan = undefined;
      // `propose` plans again, with the members known by then.
      void this.table.propose((current) => current);
    });
  }

  #tick(): void {
    if (this.#closed) return;
    const { clock, leaseMs } = this.#options.settings;
    const hears = clock.now() - this.lease.heardAtMs < leaseMs;
    // A node that receives nothing, not even its own renewals, must not declare others dead.
    if (this.lease.isValid && hears) this.membership.declareDead();
    this.#reconsider();
    this.terms.tick();
    const nextMs = Math.min(tickMs, Math.max(5, this.membership.nextChangeMs));
    this.#cancelTick = clock.schedule(nextMs, () => this.#tick());
  }
}
