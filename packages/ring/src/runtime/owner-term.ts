import { type Clock, ParsecError } from "@parsec/core";
import type { CopyThrottle } from "../replication/copy-throttle.ts";
import { PartitionLog } from "../replication/partition-log.ts";
import type { Replica } from "../replication/replica.ts";
import { memberOf, type RingTable, type TablePart } from "../table/ring-table.ts";
import type { TableChange } from "../table/table-keeper.ts";
import type { RequestHead, RequestKind } from "../wire/ring-message.ts";
import type { HookRunner } from "./hook-runner.ts";
import { OwnerBackups } from "./owner-backups.ts";
import type { RecoveredPart } from "./recovery.ts";
import type { Turns } from "./turns.ts";

/**
 * `recovering`: looks for what the last owner held. `starting`: the application's onOwn runs. `sealed`: a
 * planned move is being completed; nothing new is accepted.
 */
export type TermPhase = "recovering" | "starting" | "serving" | "sealed" | "ended";

export interface OwnerTermOptions {
  readonly selfId: string;
  readonly partition: number;
  readonly incarnation: string;
  readonly part: TablePart;
  /** Absent when the application keeps no state in the ring. */
  readonly replica: Replica | undefined;
  readonly clock: Clock;
  readonly hooks: HookRunner;
  readonly throttle: CopyThrottle;
  /** Of handing over. */
  readonly turns: Turns;
  readonly pieceBytes: number;
  readonly maxRetainedBytes: number;
  readonly replicaTimeoutMs: number;
  readonly hookTimeoutMs: number;
  readonly table: () => RingTable | undefined;
  readonly propose: (change: TableChange, delayMs?: number) => Promise<boolean>;
  readonly recover: (term: OwnerTerm) => Promise<RecoveredPart | undefined>;
  readonly send: (address: string, request: Uint8Array) => Promise<Uint8Array>;
  readonly onServing: (term: OwnerTerm) => void;
  readonly onShrunk: (term: OwnerTerm, ids: readonly string[]) => void;
  readonly resync: () => void;
}

/** The time in which this node owns a partition under one epoch: from finding the data to handing it over. */
export class OwnerTerm {
  readonly partition: number;
  readonly epoch: number;
  readonly incarnation: string;
  readonly #options: OwnerTermOptions;
  #part: TablePart;
  #targets: readonly string[] = [];
  #phase: TermPhase = "recovering";
  #log: PartitionLog | undefined = undefined;
  /** There when the log is. */
  #backups: OwnerBackups | undefined = undefined;
  #started = false;
  #lost: boolean;
  #active = 0;
  #whenQuiet: (() => void) | undefined = undefined;
  #moving = false;

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

  /** Whether it began without what its predecessor held. */
  get isLost(): boolean {
    return this.#lost;
  }

  /** Whether onOwn was called, so that onRelease has to be. */
  get hasStarted(): boolean {
    return this.#started;
  }

  async start(): Promise<void> {
    if (this.#options.replica !== undefined || this.#part.recovery !== "none") {
      const found = await this.#options.recover(this);
      if (found === undefined || this.#hasEnded) return;
      if (this.#part.recovery !== "none" || found.isChanged) {
        const settled = await this.#options.propose((table) => this.#settle(table, found));
        if (!settled || this.#hasEnded) return;
      }
      this.#lost = found.isLost;
      if (!found.isFound) this.#options.replica?.begin();
    }
    await this.#begin(this.#lost);
  }

  /** The table has another state of this part, of the same epoch. */
  update(part: TablePart, targets: readonly string[]): void {
    this.#part = part;
    this.#targets = targets;
    if (this.#hasEnded) return;
    this.#backups?.update(part, targets);
    this.considerChange();
  }

  /** Counts a request that is being served; the returned function ends it. */
  enter(): () => void {
    this.#active++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#active--;
      if (this.#active === 0) this.#whenQuiet?.();
    };
  }

  /** Does without backups for which writes have waited too long. */
  checkStuck(): void {
    this.#backups?.checkStuck();
  }

  /** Looks whether backups can be added or left out, or the partition handed over. */
  considerChange(): void {
    if (this.#hasEnded) return;
    if (!this.#moving) this.#backups?.consider();
    this.#considerMove();
  }

  /** It owns the partition no longer, for whatever reason. */
  end(reason: string): void {
    if (this.#hasEnded) return;
    this.#phase = "ended";
    this.#backups?.end();
    const message = `${reason}; nobody can say whether the write took place`;
    this.#log?.end(new ParsecError("PEER_UNREACHABLE", message));
    this.#whenQuiet?.();
  }

  head(kind: RequestKind): RequestHead {
    return {
      kind,
      incarnation: this.incarnation,
      epoch: this.#options.table()?.epoch ?? 0,
      partition: this.partition,
      partEpoch: this.epoch,
    };
  }

  get #hasEnded(): boolean {
    return this.#phase === "ended";
  }

  async #begin(lost: boolean): Promise<void> {
    this.#phase = "starting";
    this.#started = true;
    await this.#options.hooks.own(this.partition, lost);
    if (this.#hasEnded) return;
    if (this.#log === undefined) this.#beginLog();
    this.#phase = "serving";
    this.#options.onServing(this);
    this.update(this.#part, this.#targets);
  }

  #beginLog(): void {
    const { replica, clock, maxRetainedBytes } = this.#options;
    if (replica === undefined) return;
    const now = (): number => clock.now();
    const log = new PartitionLog({ epoch: this.epoch, replica, now, maxRetainedBytes });
    this.#log = log;
    this.#backups = new OwnerBackups(this.#part, {
      ...this.#options,
      log,
      replica,
      head: (kind) => this.head(kind),
      change: (table, change) => this.#change(table, change),
      onProgress: () => this.considerChange(),
      onShrunk: (ids) => this.#options.onShrunk(this, ids),
    });
  }

  #isMine(part: TablePart | undefined): part is TablePart {
    return part !== undefined && part.owner === this.#options.selfId && part.epoch === this.epoch;
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
      // A history of higher epochs than this one was found: what is written now must come after it.
      const epoch = Math.max(part.epoch, found.minEpoch);
      return { ...part, backups, epoch, recovery: "none", lost: found.isLost };
    });
  }

  #considerMove(): void {
    const { next } = this.#part;
    if (next === undefined || this.#moving || this.#phase !== "serving") return;
    if (this.#backups?.isChanging === true || this.#backups?.isClose(next) === false) return;
    this.#moving = true;
    // In turns, so that each waits for little else than itself.
    void this.#options.turns
      .run(async () => {
        if (!this.#hasEnded && this.#part.next === next) await this.#move(next);
      })
      .finally(() => {
        this.#moving = false;
        if (!this.#hasEnded) this.considerChange();
      });
  }

  /** Stops accepting, sends what is left, lets the application go, and then gives the partition away. */
  async #move(next: string): Promise<void> {
    // Before anybody has to wait: a copy that the table does not list may have been dropped meanwhile.
    if ((await this.#backups?.assure(next)) === false) return;
    this.#phase = "sealed";
    if (!(await this.#drain(next))) {
      if (this.#phase === "sealed") this.#phase = "serving";
      return;
    }
    await this.#options.hooks.release(this.partition);
    this.#started = false;
    // The hook may have taken long.
    if (this.#backups?.isAssured(next) === false) await this.#backups.assure(next);
    if (this.#hasEnded) return;
    const holders = this.#backups?.holders;
    const session = memberOf(this.#options.table(), next)?.session;
    const moved = await this.#options.propose((table) => {
      if (memberOf(table, next)?.session !== session || this.#backups?.isAssured(next) === false) {
        return undefined;
      }
      return this.#change(table, (part) => {
        const backups = part.backups.filter((id) => id !== next && holders?.has(id));
        const kept = holders === undefined ? [] : [this.#options.selfId, ...backups];
        const epoch = part.epoch + 1;
        return { ...part, owner: next, backups: kept, epoch, next: undefined, lost: false };
      });
    });
    // Nobody took it: it stays here, and the application has to be told again.
    if (!moved && this.#phase === "sealed") await this.#begin(false);
  }

  /** Whether requests under way have ended and the next owner has every write. */
  async #drain(next: string): Promise<boolean> {
    const { clock, hookTimeoutMs } = this.#options;
    let expired = false;
    const cancel = clock.schedule(hookTimeoutMs, () => {
      expired = true;
      this.#whenQuiet?.();
    });
    try {
      while (this.#active > 0 && !expired && !this.#hasEnded) {
        await new Promise<void>((resolve) => {
          this.#whenQuiet = resolve;
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
