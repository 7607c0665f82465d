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
import { recoverPart } from "./recovery.ts";
import { Turns } from "./turns.ts";

export interface PartitionTermsOptions {
  readonly settings: RingSettings;
  readonly link: Link;
  readonly pieceBytes: number;
  readonly table: () => RingTable | undefined;
  readonly session: () => string;
  readonly quietAtMs: () => number;
  readonly propose: (change: TableChange, delayMs?: number) => Promise<boolean>;
  readonly resync: () => void;
  readonly onOwned: (partition: number) => void;
  /** Whether an owner may be about to count on this node's copy. */
  readonly isPledged: (partition: number) => boolean;
  readonly emit: (event: RingEvent) => void;
}

/** Several at a time would keep each other waiting, and all their callers. */
const handOversAtOnce = 1;

/** What the table says about this node's partitions, turned into deeds: terms begun and ended, copies kept and dropped. */
export class PartitionTerms {
  readonly hooks: HookRunner;
  readonly #options: PartitionTermsOptions;
  readonly #throttle: CopyThrottle;
  readonly #turns: Turns = new Turns(handOversAtOnce);
  readonly #terms: Map<number, OwnerTerm> = new Map();
  readonly #replicas: Map<number, Replica> = new Map();
  /** There are copies that may be dropped later. */
  #untidy = false;

  constructor(options: PartitionTermsOptions) {
    this.#options = options;
    const { clock, hookTimeoutMs, copies } = options.settings;
    this.hooks = new HookRunner({
      clock,
      timeoutMs: hookTimeoutMs,
      onFailure: (failure) => options.emit({ type: "hook-failed", ...failure }),
    });
    this.#throttle = new CopyThrottle({
      clock,
      maxCopies: copies.concurrent,
      bytesPerSecond: copies.bytesPerSecond,
    });
  }

  get throttle(): CopyThrottle {
    return this.#throttle;
  }

  get terms(): Iterable<OwnerTerm> {
    return this.#terms.values();
  }

  termOf(partition: number): OwnerTerm | undefined {
    return this.#terms.get(partition);
  }

  /** Only to be asked when the ring has a state. */
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

  /** Does what the table says. */
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
        this.#tidy(partition, part, targets[partition] ?? []);
    }
  }

  /** What was owned is owned no longer. */
  endAll(reason: string): void {
    for (const term of [...this.#terms.values()]) this.#end(term, reason);
  }

  /** Looks after what only time changes. */
  tick(): void {
    const table = this.#options.table();
    if (this.#untidy && table !== undefined) {
      this.#untidy = false;
      const targets = backupTargets(table);
      for (const [partition, part] of table.parts.entries()) {
        if (!this.#terms.has(partition)) this.#tidy(partition, part, targets[partition] ?? []);
      }
    }
    for (const term of this.#terms.values()) term.checkStuck();
  }

  #begin(
    table: RingTable,
    at: { readonly partition: number; readonly targets: readonly string[] },
  ): void {
    const { settings, link, pieceBytes } = this.#options;
    const { partition } = at;
    const part = table.parts[partition] as TablePart;
    const { copies, state } = settings;
    const term = new OwnerTerm({
      selfId: settings.node,
      partition,
      incarnation: table.incarnation,
      part,
      replica: state === undefined ? undefined : this.replicaOf(partition),
      clock: settings.clock,
      hooks: this.hooks,
      throttle: this.#throttle,
      turns: this.#turns,
      pieceBytes,
      maxRetainedBytes: copies.retainedBytes,
      replicaTimeoutMs: settings.replicaTimeoutMs,
      hookTimeoutMs: settings.hookTimeoutMs,
      table: this.#options.table,
      propose: this.#options.propose,
      recover: (own) =>
        recoverPart(own, {
          selfId: settings.node,
          address: link.address,
          durable: settings.durable,
          clock: settings.clock,
          table: this.#options.table,
          send: (address, request, { timeoutMs }) => link.request(address, request, { timeoutMs }),
          quietAtMs: this.#options.quietAtMs,
          askTimeoutMs: settings.replicaTimeoutMs,
          copyTimeoutMs: 60_000,
        }),
      send: (address, request) =>
        link.request(address, request, { timeoutMs: settings.replicaTimeoutMs }),
      onServing: ({ epoch: partEpoch, incarnation, isLost: lost }) => {
        this.#options.emit({ type: "owned", partition, incarnation, partEpoch, lost });
      },
      onShrunk: (_own, ids) => this.#options.emit({ type: "backup-dropped", partition, ids }),
      resync: this.#options.resync,
    });
    this.#terms.set(partition, term);
    this.#options.onOwned(partition);
    term.update(part, at.targets);
    void term.start();
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

  /** Forgets a copy that nobody counts on any more. */
  #tidy(partition: number, part: TablePart, targets: readonly string[]): void {
    const { node } = this.#options.settings;
    const replica = this.replicaOf(partition);
    const isUseful = [part.owner, ...part.backups, ...targets, part.next].includes(node);
    // While the data is being looked for, this copy may be the one that is found.
    if (isUseful || !replica.holds || part.recovery === "everyone") return;
    if (this.#options.isPledged(partition)) this.#untidy = true;
    else void replica.drop().catch(() => {});
  }
}
