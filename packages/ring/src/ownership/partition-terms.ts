import { createSemaphore } from "@parsec/core/authoring";
import type { Link } from "../link/link.ts";
import { CopyThrottle } from "../replication/copy-throttle.ts";
import { Replica } from "../replication/replica.ts";
import type { RingEvent } from "../ring-events.ts";
import type { RingSettings } from "../ring-options.ts";
import { backupTargets } from "../table/plan-backups.ts";
import { memberOf, type RingTable, type TablePart } from "../table/ring-table.ts";
import type { TableChange } from "../table/table-keeper.ts";
import { HookRunner } from "./hook-runner.ts";
import { OwnerTerm } from "./owner-term.ts";
import { type RecoveredPart, recoverPart } from "./recovery.ts";
import type { TermContext } from "./term-context.ts";

export interface PartitionTermsOptions {
  readonly settings: RingSettings;
  readonly link: Link;
  readonly pieceBytes: number;
  readonly table: () => RingTable | undefined;
  readonly session: () => string;
  /** When the owners of an earlier incarnation have certainly stopped serving. */
  readonly quietAtMs: () => number;
  readonly propose: (change: TableChange, delayMs?: number) => Promise<boolean>;
  readonly resync: () => void;
  /** Called when this node becomes the owner of a partition. */
  readonly onOwned: (partition: number) => void;
  /** True while another owner may rely on this node's copy. */
  readonly isReserved: (partition: number) => boolean;
  readonly emit: (event: RingEvent) => void;
}

/** The time limit of a copy of a whole partition during recovery. */
const copyTimeoutMs = 60_000;

/** Applies the table to this node's partitions: begins and ends terms, keeps and drops copies. */
export class PartitionTerms {
  readonly hooks: HookRunner;
  readonly #options: PartitionTermsOptions;
  readonly #context: TermContext;
  readonly #terms: Map<number, OwnerTerm> = new Map();
  readonly #replicas: Map<number, Replica> = new Map();
  /** True while there are copies that can be dropped later. */
  #hasSurplusCopies = false;

  constructor(options: PartitionTermsOptions) {
    this.#options = options;
    const { settings, link, pieceBytes, table, propose, resync } = options;
    const { node: selfId, clock, hookTimeoutMs, replicaTimeoutMs, copies, maxMoves } = settings;
    this.hooks = new HookRunner({
      clock,
      timeoutMs: hookTimeoutMs,
      onFailure: (failure) => options.emit({ type: "hook-failed", ...failure }),
    });
    this.#context = {
      selfId,
      clock,
      limits: {
        pieceBytes,
        maxRetainedBytes: copies.retainedBytes,
        replicaTimeoutMs,
        hookTimeoutMs,
      },
      ring: {
        table,
        propose,
        resync,
        send: (address, request) => link.request(address, request, { timeoutMs: replicaTimeoutMs }),
      },
      hooks: this.hooks,
      throttle: new CopyThrottle({
        clock,
        maxCopies: copies.concurrent,
        bytesPerSecond: copies.bytesPerSecond,
      }),
      // Those that are sealed at the same time share a write of the table.
      handOvers: createSemaphore(maxMoves),
    };
  }

  get throttle(): CopyThrottle {
    return this.#context.throttle;
  }

  get terms(): Iterable<OwnerTerm> {
    return this.#terms.values();
  }

  termOf(partition: number): OwnerTerm | undefined {
    return this.#terms.get(partition);
  }

  /** Call it only when the ring has a state. */
  replicaOf(partition: number): Replica {
    let replica = this.#replicas.get(partition);
    if (replica === undefined) {
      const { state } = this.#options.settings;
      if (state === undefined) throw new Error("the ring has no state");
      replica = new Replica(partition, state);
      this.#replicas.set(partition, replica);
    }
    return replica;
  }

  /** Whether this node has operations of the partition. */
  hasData(partition: number): boolean {
    if (this.#options.settings.state === undefined) return false;
    const { holds, position } = this.replicaOf(partition);
    return holds && position.seq > 0;
  }

  /** The partitions of which this node has operations. */
  withData(): readonly number[] {
    return [...this.#replicas.keys()].filter((partition) => this.hasData(partition));
  }

  /** Applies a new table. */
  apply(table: RingTable): void {
    const { settings, session } = this.#options;
    const isMember = memberOf(table, settings.node)?.session === session();
    const targets = backupTargets(table);
    for (const [partition, part] of table.parts.entries()) {
      const term = this.#terms.get(partition);
      const isOwner = isMember && part.owner === settings.node;
      if (isOwner && term?.epoch === part.epoch && term.incarnation === table.incarnation) {
        term.update(part, targets[partition] ?? []);
        continue;
      }
      if (term !== undefined) this.#end(term, "another node owns the partition now");
      if (isOwner) this.#begin(table, { partition, targets: targets[partition] ?? [] });
      else if (settings.state !== undefined && isMember)
        this.#dropSurplus(table, { partition, part, targets: targets[partition] ?? [] });
    }
  }

  /** Ends all terms. */
  endAll(reason: string): void {
    for (const term of [...this.#terms.values()]) this.#end(term, reason);
  }

  /** Does what is due by time: call it regularly. */
  tick(): void {
    const table = this.#options.table();
    if (this.#hasSurplusCopies && table !== undefined) {
      this.#hasSurplusCopies = false;
      const targets = backupTargets(table);
      for (const [partition, part] of table.parts.entries()) {
        if (!this.#terms.has(partition))
          this.#dropSurplus(table, { partition, part, targets: targets[partition] ?? [] });
      }
    }
    for (const term of this.#terms.values()) term.checkStuck();
  }

  #begin(
    table: RingTable,
    at: { readonly partition: number; readonly targets: readonly string[] },
  ): void {
    const { settings, emit } = this.#options;
    const { partition } = at;
    const part = table.parts[partition] as TablePart;
    const term = new OwnerTerm({
      partition,
      incarnation: table.incarnation,
      part,
      replica: settings.state === undefined ? undefined : this.replicaOf(partition),
      context: this.#context,
      recover: (own) => this.#recover(own),
      onServing: ({ epoch: partEpoch, incarnation, isLost: lost }) => {
        emit({ type: "owned", partition, incarnation, partEpoch, lost });
      },
      onBackupsDropped: (ids) => emit({ type: "backup-dropped", partition, ids }),
      onStuck: (reason) => emit({ type: "damaged", partition, reason }),
    });
    this.#terms.set(partition, term);
    this.#options.onOwned(partition);
    term.update(part, at.targets);
    void term.start();
  }

  #recover(term: OwnerTerm): Promise<RecoveredPart | undefined> {
    const { settings, link, table, quietAtMs } = this.#options;
    return recoverPart(term, {
      selfId: settings.node,
      address: link.address,
      durable: settings.durable,
      clock: settings.clock,
      table,
      send: (address, request, { timeoutMs }) => link.request(address, request, { timeoutMs }),
      quietAtMs,
      askTimeoutMs: settings.replicaTimeoutMs,
      copyTimeoutMs,
    });
  }

  #end(term: OwnerTerm, reason: string): void {
    const { partition, epoch: partEpoch } = term;
    const planned = term.phase === "sealed" && !term.hasStarted;
    this.#terms.delete(partition);
    const wasServing = term.phase === "serving" || term.phase === "sealed";
    const mustRelease = term.hasStarted;
    term.end(reason);
    if (mustRelease) void this.hooks.release(partition);
    if (wasServing) this.#options.emit({ type: "released", partition, partEpoch, planned });
  }

  /** Drops a copy that the table does not want and no owner relies on. */
  #dropSurplus(
    table: RingTable,
    at: {
      readonly partition: number;
      readonly part: TablePart;
      readonly targets: readonly string[];
    },
  ): void {
    const { partition, part, targets } = at;
    const { node } = this.#options.settings;
    const replica = this.replicaOf(partition);
    const isUseful = [part.owner, ...part.backups, ...targets, part.next].includes(node);
    // While the owner recovers the data, this copy may be the one it needs.
    if (isUseful || !replica.holds || part.recovery === "everyone") return;
    // The owner's copy may be damaged, and it says so only once it has looked for others.
    const isOnlyOther = table.replicas > 1 && part.backups.length === 0;
    if (isOnlyOther || this.#options.isReserved(partition)) this.#hasSurplusCopies = true;
    else void replica.drop().catch(() => {});
  }
}
