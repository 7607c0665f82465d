import { randomBytes } from "node:crypto";
import { type Clock, isParsecError, ParsecError } from "@parsec/core";
import type { Coordinator, CoordinatorEntry } from "../coordinator/coordinator.ts";
import { WriteConflict } from "../coordinator/coordinator.ts";
import { type RingTable, unownedPart } from "./ring-table.ts";
import { decodeTable, encodeTable } from "./table-codec.ts";

export const tableKey = "table";

/**
 * A change of the table: what it becomes; the same object when it is so already; undefined when it cannot
 * be any more. May be asked several times, with newer tables.
 */
export type TableChange = (table: RingTable) => RingTable | undefined;

export interface TableKeeperOptions {
  readonly coordinator: Coordinator;
  readonly clock: Clock;
  readonly partitions: number;
  readonly replicas: number;
  readonly writeTimeoutMs: number;
  /** Whether this node may write at the moment. */
  readonly mayWrite: () => boolean;
  /** What follows from a table and the living members. */
  readonly plan: (table: RingTable) => RingTable;
  /** There is another table than before. `isNew`: of another incarnation, or the first this node sees. */
  readonly onTable: (table: RingTable, isNew: boolean) => void;
  /** There is no table any more that can be trusted. */
  readonly onMissing: () => void;
  readonly onError: (error: ParsecError) => void;
}

interface Proposal {
  readonly change: TableChange;
  readonly settle: (written: boolean) => void;
}

/** This node's view of the table, and the one way to write it: all changes of a turn in one compare-and-set. */
export class TableKeeper {
  readonly #options: TableKeeperOptions;
  readonly #proposals: Set<Proposal> = new Set();
  readonly #awaitingView: Set<() => void> = new Set();
  #table: RingTable | undefined = undefined;
  /** The last one there was, should the storage lose it. */
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

  /** Everything was read anew; `entry` is what stands under the table's key. */
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

  /** Nothing is known until the next read. */
  lost(): void {
    this.#known = false;
  }

  /**
   * Resolves with whether it came true, be it by this node's own write or another's. Waits as long as it
   * takes. What can wait for `delayMs` goes along with others: each write is one that somebody else may lose.
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

  /** Tries to write what is proposed, such as after this node may write again. */
  kick(): void {
    if (this.#running || this.#closed) return;
    this.#running = true;
    setImmediate(() => {
      void this.#run().finally(() => {
        this.#running = false;
        // Whoever was told of a success may have proposed something new before this line was reached.
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

  /** Whether it was written by this very attempt. */
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
      // Written by another, or perhaps by us: either way the next view says how it stands.
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

  /** Resolves with the next view, which is asked for when it does not come by itself. */
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
      if (table.parts.length === this.#options.partitions) return table;
      const message = `the ring has ${table.parts.length} partitions, and this node was told ${this.#options.partitions}`;
      throw new ParsecError("INVALID_ARGUMENT", message);
    } catch (error) {
      // Not to be overwritten: a person has to look.
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

  /** The first table, or the one that follows a loss: what was known of owners may help to find what they hold. */
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
