import { type Clock, ParsecError } from "@parsec/core";
import { countOnMs } from "../replication/backup-desk.ts";
import type { CopyThrottle } from "../replication/copy-throttle.ts";
import { Follower } from "../replication/follower.ts";
import { PartitionLog } from "../replication/partition-log.ts";
import type { Replica } from "../replication/replica.ts";
import { memberOf, type RingTable, type TableMember, type TablePart } from "../table/ring-table.ts";
import type { TableChange } from "../table/table-keeper.ts";
import type { RequestHead, RequestKind } from "../wire/ring-message.ts";
import type { HookRunner } from "./hook-runner.ts";
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

interface Follow {
  readonly session: string;
  readonly follower: Follower;
}

const unhurriedMs = 40;
/** After a change of the backups that did not come about. */
const retryMs = 100;

/** The time in which this node owns a partition under one epoch: from finding the data to handing it over. */
export class OwnerTerm {
  readonly partition: number;
  readonly epoch: number;
  readonly incarnation: string;
  readonly #options: OwnerTermOptions;
  readonly #follows: Map<string, Follow> = new Map();
  #part: TablePart;
  #targets: readonly string[] = [];
  #phase: TermPhase = "recovering";
  #log: PartitionLog | undefined = undefined;
  #started = false;
  #lost: boolean;
  #active = 0;
  #whenQuiet: (() => void) | undefined = undefined;
  /** The backups that the table may come to list any moment. */
  #proposed: readonly TableMember[] | undefined = undefined;
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
    this.#followAll();
    this.#requireQuorums();
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

  /** Writes that have waited too long for a backup: take it out of the table before doing without it. */
  checkStuck(): void {
    const { clock, replicaTimeoutMs } = this.#options;
    const log = this.#log;
    if (log === undefined || this.#proposed !== undefined || this.#hasEnded) return;
    const blockers = log.blockersSince(clock.now() - replicaTimeoutMs);
    if (blockers.length === 0) return;
    const kept = this.#part.backups.filter((id) => !blockers.includes(id));
    this.#options.onShrunk(this, blockers);
    void this.#proposeBackups(kept);
  }

  /** Looks whether backups can be added or left out, or the partition handed over. */
  considerChange(): void {
    if (this.#hasEnded) return;
    this.#considerBackups();
    this.#considerMove();
  }

  /** It owns the partition no longer, for whatever reason. */
  end(reason: string): void {
    if (this.#hasEnded) return;
    this.#phase = "ended";
    for (const { follower } of this.#follows.values()) follower.end();
    this.#follows.clear();
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
    const { hooks, clock, replica, maxRetainedBytes } = this.#options;
    this.#phase = "starting";
    this.#started = true;
    await hooks.own(this.partition, lost);
    if (this.#hasEnded) return;
    if (replica !== undefined && this.#log === undefined) {
      const now = (): number => clock.now();
      this.#log = new PartitionLog({ epoch: this.epoch, replica, now, maxRetainedBytes });
    }
    this.#phase = "serving";
    this.#options.onServing(this);
    this.update(this.#part, this.#targets);
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

  #followAll(): void {
    const table = this.#options.table();
    const log = this.#log;
    const { replica, clock, throttle, pieceBytes } = this.#options;
    if (table === undefined || log === undefined || replica === undefined) return;
    const wanted = new Set([...this.#targets, ...this.#part.backups, this.#part.next]);
    for (const [id, { session, follower }] of this.#follows) {
      if (wanted.has(id) && memberOf(table, id)?.session === session) continue;
      this.#follows.delete(id);
      follower.end();
    }
    for (const id of wanted) {
      const member = memberOf(table, id);
      if (member?.present !== true || this.#follows.has(member.id)) continue;
      if (member.id === this.#options.selfId) continue;
      const follower = new Follower({
        id: member.id,
        log,
        replica,
        clock,
        throttle,
        pieceBytes,
        head: (kind) => this.head(kind),
        send: (request) => this.#options.send(member.address, request),
        onProgress: () => this.considerChange(),
        onOvertaken: () => this.#options.resync(),
      });
      this.#follows.set(member.id, { session: member.session, follower });
    }
  }

  #requireQuorums(): void {
    const quorums = [new Set(this.#part.backups)];
    if (this.#proposed !== undefined) quorums.push(new Set(this.#proposed.map(({ id }) => id)));
    this.#log?.require(quorums);
  }

  #considerBackups(): void {
    const log = this.#log;
    if (log === undefined || this.#proposed !== undefined || this.#moving) return;
    const { backups } = this.#part;
    const isReady = (id: string): boolean => {
      const follower = this.#follows.get(id)?.follower;
      return follower !== undefined && !follower.isFailing && follower.confirmedSeq >= 0;
    };
    const ready = this.#targets.filter((id) => backups.includes(id) || isReady(id));
    // Those who are too many go when those who are to stay have everything.
    const surplus = backups.filter((id) => !ready.includes(id));
    const next = ready.length === this.#targets.length ? ready : [...ready, ...surplus];
    const isSame = next.length === backups.length && next.every((id) => backups.includes(id));
    if (!isSame) void this.#proposeBackups(next);
  }

  async #proposeBackups(ids: readonly string[]): Promise<void> {
    const table = this.#options.table();
    if (table === undefined) return;
    const members = ids.map((id) => memberOf(table, id)).filter((member) => member !== undefined);
    this.#proposed = members;
    // From now on the newcomers have to confirm as well, so what they lack can only become less.
    this.#requireQuorums();
    const newcomers = ids.filter((id) => !this.#part.backups.includes(id));
    const log = this.#log as PartitionLog;
    const askedAtMs = this.#options.clock.now();
    // A copy that the table did not list may have been dropped in the meantime.
    for (const id of newcomers) this.#follows.get(id)?.follower.probe();
    const hasAll = (): boolean =>
      newcomers.every((id) => {
        const follower = this.#follows.get(id)?.follower;
        if (follower === undefined || follower.heldSinceMs < askedAtMs) return false;
        return follower.confirmedSeq >= log.committedSeq;
      });
    let written = false;
    if (await this.#soon(hasAll)) {
      const change: TableChange = (current) => {
        const isLate = this.#options.clock.now() - askedAtMs > countOnMs;
        if (newcomers.length > 0 && isLate) return undefined;
        return this.#change(current, (part) => {
          const present = members.filter(({ id, session }) => {
            const member = memberOf(current, id);
            return member?.present === true && member.session === session && id !== part.owner;
          });
          return { ...part, backups: present.map(({ id }) => id) };
        });
      };
      // Nobody waits for one backup more; but for one less there may be writes that do.
      written = await this.#options.propose(change, newcomers.length > 0 ? unhurriedMs : 0);
    }
    this.#proposed = undefined;
    if (this.#hasEnded) return;
    this.#requireQuorums();
    if (written) this.considerChange();
    else this.#options.clock.schedule(retryMs, () => this.considerChange());
  }

  /** Whether it comes true within the time that a backup has for its answer. */
  async #soon(condition: () => boolean): Promise<boolean> {
    const { clock, replicaTimeoutMs } = this.#options;
    const until = clock.now() + replicaTimeoutMs;
    while (!condition() && !this.#hasEnded && clock.now() < until) {
      await new Promise<void>((resolve) => void clock.schedule(2, resolve));
    }
    return condition() && !this.#hasEnded;
  }

  #considerMove(): void {
    const { next } = this.#part;
    if (next === undefined || this.#moving || this.#phase !== "serving") return;
    if (this.#proposed !== undefined) return;
    if (this.#log !== undefined && !this.#isClose(next)) return;
    this.#moving = true;
    // A few at a time, so that each waits for little else than itself.
    void this.#options.turns
      .run(async () => {
        if (!this.#hasEnded && this.#part.next === next) await this.#move(next);
      })
      .finally(() => {
        this.#moving = false;
        if (!this.#hasEnded) this.considerChange();
      });
  }

  /** Whether what it lacks is little enough to be sent while everybody waits. */
  #isClose(id: string): boolean {
    const follower = this.#follows.get(id)?.follower;
    if (follower === undefined || follower.confirmedSeq < 0 || follower.isFailing) return false;
    return (this.#log as PartitionLog).lastSeq - follower.confirmedSeq < 10_000;
  }

  /** Stops accepting, sends what is left, lets the application go, and then gives the partition away. */
  async #move(next: string): Promise<void> {
    // Before anybody has to wait: a copy that the table does not list may have been dropped meanwhile.
    if (!(await this.#assure(next))) return;
    this.#phase = "sealed";
    if (!(await this.#drain(next))) {
      if (this.#phase === "sealed") this.#phase = "serving";
      return;
    }
    await this.#options.hooks.release(this.partition);
    this.#started = false;
    // The hook may have taken long.
    if (!this.#isAssured(next)) await this.#assure(next);
    if (this.#hasEnded) return;
    const caughtUp = [...this.#follows].filter(([, { follower }]) => follower.isCaughtUp);
    const holders = new Set(caughtUp.map(([id]) => id));
    const session = memberOf(this.#options.table(), next)?.session;
    const moved = await this.#options.propose((table) => {
      if (memberOf(table, next)?.session !== session || !this.#isAssured(next)) return undefined;
      return this.#change(table, (part) => {
        const backups = part.backups.filter((id) => id !== next && holders.has(id));
        const kept = this.#log === undefined ? [] : [this.#options.selfId, ...backups];
        const epoch = part.epoch + 1;
        return { ...part, owner: next, backups: kept, epoch, next: undefined, lost: false };
      });
    });
    // Nobody took it: it stays here, and the application has to be told again.
    if (!moved && this.#phase === "sealed") await this.#begin(false);
  }

  /** Whether it confirmed its copy so lately that it cannot have dropped it. */
  #isAssured(id: string): boolean {
    if (this.#log === undefined) return true;
    const heldSinceMs = this.#follows.get(id)?.follower.heldSinceMs ?? Number.NEGATIVE_INFINITY;
    return this.#options.clock.now() - heldSinceMs < countOnMs;
  }

  async #assure(id: string): Promise<boolean> {
    if (this.#log === undefined) return true;
    const askedAtMs = this.#options.clock.now();
    this.#follows.get(id)?.follower.probe();
    return this.#soon(() => (this.#follows.get(id)?.follower.heldSinceMs ?? 0) >= askedAtMs);
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
      const hasAll = (): boolean => this.#follows.get(next)?.follower.isCaughtUp === true;
      while (log !== undefined && !expired && !this.#hasEnded && !(log.isIdle && hasAll())) {
        if (this.#follows.get(next)?.follower.isFailing !== false) return false;
        await new Promise<void>((resolve) => void clock.schedule(1, resolve));
      }
      return !expired && !this.#hasEnded && this.#part.next === next;
    } finally {
      cancel();
    }
  }
}
