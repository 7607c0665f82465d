import { ParsecError } from "@parsec/core";
import { PartitionLog } from "../replication/partition-log.ts";
import type { Replica } from "../replication/replica.ts";
import { withPermit } from "../replication/with-permit.ts";
import { memberOf, type RingTable, type TablePart } from "../table/ring-table.ts";
import type { RequestHead, RequestKind } from "../wire/ring-message.ts";
import { OwnerBackups } from "./owner-backups.ts";
import type { RecoveredPart } from "./recovery.ts";
import type { TermContext } from "./term-context.ts";

/**
 * The phase of an ownership. `recovering`: it looks for the data of the previous owner. `starting`: the
 * application's `onOwn` hook runs. `serving`: requests are accepted. `sealed`: a planned move is being completed,
 * and no new request is accepted. `ended`: another node owns the partition, or the lease was lost.
 */
export type TermPhase = "recovering" | "starting" | "serving" | "sealed" | "ended";

export interface OwnerTermOptions {
  readonly partition: number;
  readonly incarnation: string;
  readonly part: TablePart;
  /** Absent when the application keeps no state in the ring. */
  readonly replica: Replica | undefined;
  readonly context: TermContext;
  /** Finds the data of the previous owner; resolves with undefined when the term ends first. */
  readonly recover: (term: OwnerTerm) => Promise<RecoveredPart | undefined>;
  /** Called when the term begins to serve, and again after a planned move that failed. */
  readonly onServing: (term: OwnerTerm) => void;
  /** Called with backups that are removed from the table because they are too slow. */
  readonly onBackupsDropped: (ids: readonly string[]) => void;
  /** Called when the data cannot be recovered. */
  readonly onStuck: (reason: string) => void;
}

/** This node's ownership of one partition under one epoch, from recovery of its data to the hand-over. */
export class OwnerTerm {
  readonly partition: number;
  readonly epoch: number;
  readonly incarnation: string;
  readonly #options: OwnerTermOptions;
  #part: TablePart;
  #targets: readonly string[] = [];
  #phase: TermPhase = "recovering";
  #log: PartitionLog | undefined = undefined;
  /** Defined when the log is. */
  #backups: OwnerBackups | undefined = undefined;
  #started = false;
  #lost: boolean;
  #active = 0;
  #onQuiet: (() => void) | undefined = undefined;
  #moving = false;
  #stuck: string | undefined = undefined;

  constructor(options: OwnerTermOptions) {
    this.#options = options;
    this.partition = options.partition;
    this.incarnation = options.incarnation;
    this.epoch = options.part.epoch;
    this.#part = options.part;
    this.#lost = options.part.lost;
  }

  get phase(): TermPhase {
    return this.#phase;
  }

  get part(): TablePart {
    return this.#part;
  }

  get log(): PartitionLog | undefined {
    return this.#log;
  }

  get replica(): Replica | undefined {
    return this.#options.replica;
  }

  /** True when the data of the previous owner could not be recovered. */
  get isLost(): boolean {
    return this.#lost;
  }

  /** True between the calls of the `onOwn` and `onRelease` hooks. */
  get hasStarted(): boolean {
    return this.#started;
  }

  /** Why the data cannot be recovered at the moment; undefined while it can. */
  get stuckReason(): string | undefined {
    return this.#stuck;
  }

  stuck(reason: string | undefined): void {
    if (reason !== undefined && this.#stuck === undefined) this.#options.onStuck(reason);
    this.#stuck = reason;
  }

  async start(): Promise<void> {
    if (this.#options.replica !== undefined || this.#part.recovery !== "none") {
      const found = await this.#options.recover(this);
      if (found === undefined || this.#hasEnded) return;
      if (this.#part.recovery !== "none" || found.isChanged) {
        const settled = await this.#ring.propose((table) => this.#settle(table, found));
        if (!settled || this.#hasEnded) return;
      }
      this.#lost = found.isLost;
      if (!found.isFound) this.#options.replica?.begin();
    }
    await this.#begin(this.#lost);
  }

  /** Takes a new state of this partition from the table, under the same epoch. `targets` should hold copies. */
  update(part: TablePart, targets: readonly string[]): void {
    this.#part = part;
    this.#targets = targets;
    if (this.#hasEnded) return;
    this.#backups?.update(part, targets);
    this.considerChange();
  }

  /** Registers a request that is being served; the returned function unregisters it. */
  enter(): () => void {
    this.#active++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#active--;
      if (this.#active === 0) this.#onQuiet?.();
    };
  }

  /** Removes backups for which writes have waited too long. */
  checkStuck(): void {
    this.#backups?.checkStuck();
  }

  /** Adds or removes backups, or starts a planned move, where that is due. */
  considerChange(): void {
    if (this.#hasEnded) return;
    if (!this.#moving) this.#backups?.consider();
    this.#considerMove();
  }

  /** Ends the ownership. Writes under way are rejected. */
  end(reason: string): void {
    if (this.#hasEnded) return;
    this.#phase = "ended";
    this.#backups?.end();
    const message = `${reason}; the outcome of the write is unknown`;
    this.#log?.end(new ParsecError("PEER_UNREACHABLE", message));
    this.#onQuiet?.();
  }

  head(kind: RequestKind): RequestHead {
    return {
      kind,
      incarnation: this.incarnation,
      epoch: this.#ring.table()?.epoch ?? 0,
      partition: this.partition,
      partEpoch: this.epoch,
    };
  }

  get #ring(): TermContext["ring"] {
    return this.#options.context.ring;
  }

  get #hasEnded(): boolean {
    return this.#phase === "ended";
  }

  async #begin(lost: boolean): Promise<void> {
    this.#phase = "starting";
    this.#started = true;
    await this.#options.context.hooks.own(this.partition, lost);
    if (this.#hasEnded) return;
    if (this.#log === undefined) this.#beginLog();
    this.#phase = "serving";
    this.#options.onServing(this);
    this.update(this.#part, this.#targets);
  }

  #beginLog(): void {
    const { replica, context, onBackupsDropped } = this.#options;
    if (replica === undefined) return;
    const { maxRetainedBytes } = context.limits;
    const now = (): number => context.clock.now();
    const log = new PartitionLog({ epoch: this.epoch, replica, now, maxRetainedBytes });
    this.#log = log;
    this.#backups = new OwnerBackups(this.#part, {
      context,
      log,
      replica,
      head: (kind) => this.head(kind),
      change: (table, change) => this.#change(table, change),
      onProgress: () => this.considerChange(),
      onDropped: onBackupsDropped,
    });
  }

  #isMine(part: TablePart | undefined): part is TablePart {
    const { selfId } = this.#options.context;
    return part !== undefined && part.owner === selfId && part.epoch === this.epoch;
  }

  #change(table: RingTable, change: (part: TablePart) => TablePart): RingTable | undefined {
    const part = table.parts[this.partition];
    if (table.incarnation !== this.incarnation || this.#hasEnded || !this.#isMine(part)) {
      return undefined;
    }
    return { ...table, parts: table.parts.with(this.partition, change(part)) };
  }

  #settle(table: RingTable, found: RecoveredPart): RingTable | undefined {
    return this.#change(table, (part) => {
      const backups = part.backups.filter((id) => found.current.includes(id));
      // The history found may be of higher epochs than this one; new operations must come after it.
      const epoch = Math.max(part.epoch, found.minEpoch);
      return { ...part, backups, epoch, recovery: "none", lost: found.isLost };
    });
  }

  #considerMove(): void {
    const { next } = this.#part;
    if (next === undefined || this.#moving || this.#phase !== "serving") return;
    if (this.#backups?.isChanging === true || this.#backups?.isClose(next) === false) return;
    this.#moving = true;
    // Limited, so that hand-overs do not keep each other's callers waiting.
    void withPermit(this.#options.context.handOvers, async () => {
      if (!this.#hasEnded && this.#part.next === next) await this.#move(next);
    }).finally(() => {
      this.#moving = false;
      if (!this.#hasEnded) this.considerChange();
    });
  }

  /** Stops accepting requests, sends the rest of the log, calls `onRelease`, and gives the partition away. */
  async #move(next: string): Promise<void> {
    // Before any caller has to wait: a copy that the table does not list may have been dropped.
    if ((await this.#backups?.confirm(next)) === false) return;
    this.#phase = "sealed";
    if (!(await this.#drain(next))) {
      if (this.#phase === "sealed") this.#phase = "serving";
      return;
    }
    const { hooks, selfId } = this.#options.context;
    await hooks.release(this.partition);
    this.#started = false;
    // The hook may have taken long.
    if (this.#backups?.isConfirmed(next) === false) await this.#backups.confirm(next);
    if (this.#hasEnded) return;
    const holders = this.#backups?.holders;
    const session = memberOf(this.#ring.table(), next)?.session;
    const moved = await this.#ring.propose((table) => {
      if (
        memberOf(table, next)?.session !== session ||
        this.#backups?.isConfirmed(next) === false
      ) {
        return undefined;
      }
      return this.#change(table, (part) => {
        const backups = part.backups.filter((id) => id !== next && holders?.has(id));
        const kept = holders === undefined ? [] : [selfId, ...backups];
        const epoch = part.epoch + 1;
        return { ...part, owner: next, backups: kept, epoch, next: undefined, lost: false };
      });
    });
    // The move failed: the partition stays here, and the application's hook is called again.
    if (!moved && this.#phase === "sealed") await this.#begin(false);
  }

  /** Resolves with whether all requests have ended and the next owner has every write, within `hookTimeoutMs`. */
  async #drain(next: string): Promise<boolean> {
    const { clock, limits } = this.#options.context;
    let expired = false;
    const cancel = clock.schedule(limits.hookTimeoutMs, () => {
      expired = true;
      this.#onQuiet?.();
    });
    try {
      while (this.#active > 0 && !expired && !this.#hasEnded) {
        await new Promise<void>((resolve) => {
          this.#onQuiet = resolve;
        });
      }
      const log = this.#log;
      const hasAll = (): boolean => this.#backups?.holders.has(next) === true;
      while (log !== undefined && !expired && !this.#hasEnded && !(log.isIdle && hasAll())) {
        if (this.#backups?.isFailing(next) === true) return false;
        await new Promise<void>((resolve) => void clock.schedule(1, resolve));
      }
      return !expired && !this.#hasEnded && this.#part.next === next;
    } finally {
      cancel();
    }
  }
}
