import { randomBytes } from "node:crypto";
import { type Clock, isParsecError, ParsecError } from "@parsec/core";
import type { Coordinator, CoordinatorEntry } from "../coordinator/coordinator.ts";
import { WriteConflict } from "../coordinator/coordinator.ts";
import { type RingTable, unownedPart } from "./ring-table.ts";
import { sharingParts } from "./same-parts.ts";
import { decodeTable, encodeTable } from "./table-codec.ts";

export const tableKey = "table";

/**
 * A change of the table: returns the new table; the same object when nothing has to change; undefined when the
 * change is no longer possible. May be called several times, with newer tables.
 */
export type TableChange = (table: RingTable) => RingTable | undefined;

export interface TableKeeperOptions {
  readonly coordinator: Coordinator;
  readonly clock: Clock;
  readonly partitions: number;
  readonly replicas: number;
  readonly writeTimeoutMs: number;
  /** Whether this node may write at this moment. */
  readonly mayWrite: () => boolean;
  /** Plans the table for the living members. */
  readonly plan: (table: RingTable) => RingTable;
  /** Called with each new table. `isNew`: of another incarnation, or the first that this node sees. */
  readonly onTable: (table: RingTable, isNew: boolean) => void;
  /** Called when the table was deleted. */
  readonly onMissing: () => void;
  readonly onError: (error: ParsecError) => void;
}

interface Proposal {
  readonly change: TableChange;
  readonly settle: (written: boolean) => void;
}

/** Keeps this node's view of the table, and writes it: all changes of one turn of the event loop in one compare-and-set. */
export class TableKeeper {
  readonly #options: TableKeeperOptions;
  readonly #proposals: Set<Proposal> = new Set();
  readonly #awaitingView: Set<() => void> = new Set();
  #table: RingTable | undefined = undefined;
  /** The last known table, for the case that the storage loses it. */
  #remembered: RingTable | undefined = undefined;
  #revision = 0;
  #known = false;
  #running = false;
  #closed = false;

  constructor(options: TableKeeperOptions) {
    this.#options = options;
  }

  /** The newest table that this node knows; undefined before the first, and after the storage lost it. */
  get table(): RingTable | undefined {
    return this.#table;
  }

  /** All entries were read again; `entry` is the table's. */
  read(entry: CoordinatorEntry | undefined, isSameStore: boolean): void {
    const goesBack = (entry?.revision ?? 0) < this.#revision;
    this.#known = true;
    if (isSameStore && !goesBack) {
      if (entry !== undefined) this.changed(entry);
    } else {
      this.#revision = entry?.revision ?? 0;
      this.#replace(this.#decode(entry));
    }
    this.#viewChanged();
  }

  changed(entry: CoordinatorEntry): void {
    if (entry.revision <= this.#revision) return;
    this.#revision = entry.revision;
    this.#replace(this.#decode(entry));
    this.#viewChanged();
  }

  /** The connection was lost: the table is unknown until the next read. */
  lost(): void {
    this.#known = false;
  }

  /**
   * Proposes a change; resolves with whether it took effect, by a write of this node or of another. There is no time
   * limit. A change that can wait for `delayMs` shares a write with others, since writes of several nodes conflict.
   */
  propose(change: TableChange, delayMs = 0): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const proposal = {
        change,
        settle: (written: boolean) => {
          this.#proposals.delete(proposal);
          resolve(written);
        },
      };
      this.#proposals.add(proposal);
      if (delayMs === 0) this.kick();
      else this.#options.clock.schedule(delayMs, () => this.kick());
    });
  }

  /** Tries to write the proposed changes, such as when this node may write again. */
  kick(): void {
    if (this.#running || this.#closed) return;
    this.#running = true;
    setImmediate(() => {
      void this.#run().finally(() => {
        this.#running = false;
        // A caller that was told of success may have proposed a new change before this line was reached.
        if (this.#mayRun) this.kick();
      });
    });
  }

  close(): void {
    this.#closed = true;
    for (const { settle } of [...this.#proposals]) settle(false);
    this.#viewChanged();
  }

  get #mayRun(): boolean {
    return this.#proposals.size > 0 && this.#known && this.#options.mayWrite() && !this.#closed;
  }

  async #run(): Promise<void> {
    while (this.#mayRun) {
      const base = this.#table ?? this.#fresh();
      const proposals = [...this.#proposals];
      const applied: Proposal[] = [];
      let draft = base;
      for (const proposal of proposals) {
        const changed = proposal.change(draft);
        if (changed === undefined) proposal.settle(false);
        else {
          draft = changed;
          applied.push(proposal);
        }
      }
      draft = this.#options.plan(draft);
      if (draft !== base || (this.#table === undefined && applied.length > 0)) {
        if (!(await this.#write({ ...draft, epoch: base.epoch + 1 }))) continue;
      }
      for (const proposal of applied) proposal.settle(true);
    }
  }

  /** Resolves with whether this attempt wrote the table. */
  async #write(table: RingTable): Promise<boolean> {
    const { coordinator, writeTimeoutMs } = this.#options;
    const based = this.#revision;
    try {
      const revision = await coordinator.write(tableKey, encodeTable(table), {
        revision: based,
        timeoutMs: writeTimeoutMs,
      });
      if (revision > this.#revision) {
        this.#revision = revision;
        this.#replace(table);
      }
      return true;
    } catch (error) {
      // Written by another node, or perhaps by this one: the next read shows which.
      if (!(error instanceof WriteConflict)) this.#failed(error);
      if (this.#revision === based) await this.#nextView();
      return false;
    }
  }

  #failed(error: unknown): void {
    if (this.#closed) return;
    const known = isParsecError(error) ? error : undefined;
    this.#options.onError(
      known ?? new ParsecError("PEER_UNREACHABLE", "the table was not written", { cause: error }),
    );
  }

  /** Resolves with the next table, which is read when it does not arrive by itself. */
  #nextView(): Promise<void> {
    const { clock, coordinator, writeTimeoutMs } = this.#options;
    return new Promise((resolve) => {
      const cancel = clock.schedule(writeTimeoutMs / 4, () => {
        coordinator.resync();
        cancelLast = clock.schedule(writeTimeoutMs, done);
      });
      let cancelLast = (): void => {};
      const done = (): void => {
        cancel();
        cancelLast();
        this.#awaitingView.delete(done);
        resolve();
      };
      this.#awaitingView.add(done);
    });
  }

  #viewChanged(): void {
    for (const done of [...this.#awaitingView]) done();
    if (this.#proposals.size > 0) this.kick();
  }

  #decode(entry: CoordinatorEntry | undefined): RingTable | undefined {
    if (entry?.value === undefined) return undefined;
    try {
      const table = decodeTable(entry.value);
      if (table.parts.length === this.#options.partitions) return sharingParts(table, this.#table);
      const message = `partitions must be ${table.parts.length}, as in the ring's table, got ${this.#options.partitions}`;
      throw new ParsecError("INVALID_ARGUMENT", message);
    } catch (error) {
      // Not overwritten: an operator has to decide.
      this.#known = false;
      this.#options.onError(error as ParsecError);
      return undefined;
    }
  }

  #replace(table: RingTable | undefined): void {
    const before = this.#table;
    this.#table = table;
    if (table === undefined) {
      if (before !== undefined) this.#options.onMissing();
      return;
    }
    this.#remembered = table;
    this.#options.onTable(table, before?.incarnation !== table.incarnation);
  }

  /** Creates the first table, or the one after a loss, which keeps the last known owners to find their data. */
  #fresh(): RingTable {
    const { partitions, replicas } = this.#options;
    const incarnation = randomBytes(8).toString("hex");
    const last = this.#remembered;
    if (last === undefined) {
      const parts = Array.from({ length: partitions }, () => unownedPart);
      return { incarnation, epoch: 0, replicas, members: [], parts };
    }
    const parts = last.parts.map(({ owner, epoch }) => {
      return { ...unownedPart, owner, epoch: epoch + 1, lost: true };
    });
    return { ...last, incarnation, parts };
  }
}
