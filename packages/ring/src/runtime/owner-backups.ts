import type { Clock } from "@parsec/core";
import { countOnMs } from "../replication/backup-desk.ts";
import type { CopyThrottle } from "../replication/copy-throttle.ts";
import { Follower } from "../replication/follower.ts";
import type { PartitionLog } from "../replication/partition-log.ts";
import type { Replica } from "../replication/replica.ts";
import { memberOf, type RingTable, type TableMember, type TablePart } from "../table/ring-table.ts";
import type { TableChange } from "../table/table-keeper.ts";
import type { RequestHead, RequestKind } from "../wire/ring-message.ts";

export interface OwnerBackupsOptions {
  readonly selfId: string;
  readonly log: PartitionLog;
  readonly replica: Replica;
  readonly clock: Clock;
  readonly throttle: CopyThrottle;
  readonly pieceBytes: number;
  readonly replicaTimeoutMs: number;
  readonly table: () => RingTable | undefined;
  readonly head: (kind: RequestKind) => RequestHead;
  readonly send: (address: string, request: Uint8Array) => Promise<Uint8Array>;
  readonly propose: (change: TableChange, delayMs?: number) => Promise<boolean>;
  /** The table with another state of this part; undefined when the partition is somebody else's. */
  readonly change: (
    table: RingTable,
    change: (part: TablePart) => TablePart,
  ) => RingTable | undefined;
  /** A copy has come further, or the table lists other backups. */
  readonly onProgress: () => void;
  readonly onShrunk: (ids: readonly string[]) => void;
  readonly resync: () => void;
}

interface Follow {
  readonly session: string;
  readonly follower: Follower;
}

const unhurriedMs = 40;
/** After a change of the backups that did not come about. */
const retryMs = 100;
/** Operations that the next owner may lack when everybody begins to wait for it. */
const closeOps = 10_000;

/** The copies of one partition that its owner keeps on other nodes, and which of them the table lists. */
export class OwnerBackups {
  readonly #options: OwnerBackupsOptions;
  readonly #follows: Map<string, Follow> = new Map();
  #part: TablePart;
  #targets: readonly string[] = [];
  /** The backups that the table may come to list any moment. */
  #proposed: readonly TableMember[] | undefined = undefined;
  #ended = false;

  constructor(part: TablePart, options: OwnerBackupsOptions) {
    this.#part = part;
    this.#options = options;
  }

  /** Whether the table may come to list others any moment. */
  get isChanging(): boolean {
    return this.#proposed !== undefined;
  }

  /** Those who have everything there is at the moment. */
  get holders(): ReadonlySet<string> {
    const caughtUp = [...this.#follows].filter(([, { follower }]) => follower.isCaughtUp);
    return new Set(caughtUp.map(([id]) => id));
  }

  /** The table has another state of this part; these nodes should hold copies. */
  update(part: TablePart, targets: readonly string[]): void {
    this.#part = part;
    this.#targets = targets;
    this.#followAll();
    this.#requireQuorums();
  }

  isFailing(id: string): boolean {
    return this.#follows.get(id)?.follower.isFailing !== false;
  }

  /** Whether what it lacks is little enough to be sent while everybody waits. */
  isClose(id: string): boolean {
    const follower = this.#follows.get(id)?.follower;
    if (follower === undefined || follower.confirmedSeq < 0 || follower.isFailing) return false;
    return this.#options.log.lastSeq - follower.confirmedSeq < closeOps;
  }

  /** Whether it confirmed its copy so lately that it cannot have dropped it. */
  isAssured(id: string): boolean {
    const heldSinceMs = this.#follows.get(id)?.follower.heldSinceMs ?? Number.NEGATIVE_INFINITY;
    return this.#options.clock.now() - heldSinceMs < countOnMs;
  }

  /** Has it confirm its copy; resolves with whether it did so in time. */
  async assure(id: string): Promise<boolean> {
    const askedAtMs = this.#options.clock.now();
    this.#follows.get(id)?.follower.probe();
    return this.#soon(() => (this.#follows.get(id)?.follower.heldSinceMs ?? 0) >= askedAtMs);
  }

  /** Writes that have waited too long for a backup: take it out of the table before doing without it. */
  checkStuck(): void {
    const { clock, log, replicaTimeoutMs } = this.#options;
    if (this.#proposed !== undefined || this.#ended) return;
    const blockers = log.blockersSince(clock.now() - replicaTimeoutMs);
    if (blockers.length === 0) return;
    const kept = this.#part.backups.filter((id) => !blockers.includes(id));
    this.#options.onShrunk(blockers);
    void this.#propose(kept);
  }

  /** Looks whether backups can be added or left out. */
  consider(): void {
    if (this.#proposed !== undefined || this.#ended) return;
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
    if (!isSame) void this.#propose(next);
  }

  end(): void {
    this.#ended = true;
    for (const { follower } of this.#follows.values()) follower.end();
    this.#follows.clear();
  }

  #followAll(): void {
    const table = this.#options.table();
    if (table === undefined || this.#ended) return;
    const { log, replica, clock, throttle, pieceBytes, selfId, head } = this.#options;
    const proposed = this.#proposed?.map(({ id }) => id) ?? [];
    const { backups, next } = this.#part;
    const wanted = new Set([...this.#targets, ...backups, ...proposed, next]);
    for (const [id, { session, follower }] of this.#follows) {
      if (wanted.has(id) && memberOf(table, id)?.session === session) continue;
      this.#follows.delete(id);
      follower.end();
    }
    for (const id of wanted) {
      const member = memberOf(table, id);
      if (member?.present !== true || this.#follows.has(member.id)) continue;
      if (member.id === selfId) continue;
      const follower = new Follower({
        id: member.id,
        log,
        replica,
        clock,
        throttle,
        pieceBytes,
        head,
        send: (request) => this.#options.send(member.address, request),
        onProgress: () => this.#options.onProgress(),
        onOvertaken: () => this.#options.resync(),
      });
      this.#follows.set(member.id, { session: member.session, follower });
    }
  }

  #requireQuorums(): void {
    const quorums = [new Set(this.#part.backups)];
    if (this.#proposed !== undefined) quorums.push(new Set(this.#proposed.map(({ id }) => id)));
    this.#options.log.require(quorums);
  }

  async #propose(ids: readonly string[]): Promise<void> {
    const { table: tableOf, clock, log } = this.#options;
    const table = tableOf();
    if (table === undefined) return;
    const members = ids.map((id) => memberOf(table, id)).filter((member) => member !== undefined);
    this.#proposed = members;
    // From now on the newcomers have to confirm as well, so what they lack can only become less.
    this.#requireQuorums();
    const newcomers = ids.filter((id) => !this.#part.backups.includes(id));
    const askedAtMs = clock.now();
    // A copy that the table did not list may have been dropped in the meantime.
    for (const id of newcomers) this.#follows.get(id)?.follower.probe();
    const hasAll = (): boolean =>
      newcomers.every((id) => {
        const follower = this.#follows.get(id)?.follower;
        if (follower === undefined || follower.heldSinceMs < askedAtMs) return false;
        return follower.confirmedSeq >= log.committedSeq;
      });
    // Writes wait for the newcomers from now on, but not for those of a plan that has been given up.
    const isWanted = (): boolean =>
      newcomers.every((id) => this.#targets.includes(id) || this.#part.backups.includes(id));
    let written = false;
    if (await this.#soon(hasAll, isWanted)) {
      const change: TableChange = (current) => {
        const isLate = clock.now() - askedAtMs > countOnMs;
        if (newcomers.length > 0 && isLate) return undefined;
        return this.#options.change(current, (part) => {
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
    if (this.#ended) return;
    this.#followAll();
    this.#requireQuorums();
    if (written || !isWanted()) this.#options.onProgress();
    else clock.schedule(retryMs, () => this.#options.onProgress());
  }

  /** Whether it comes true within the time that a backup has for its answer, and while it is wanted. */
  async #soon(condition: () => boolean, isWanted = () => true): Promise<boolean> {
    const { clock, replicaTimeoutMs } = this.#options;
    const until = clock.now() + replicaTimeoutMs;
    const mayCome = (): boolean => isWanted() && !this.#ended;
    while (!condition() && mayCome() && clock.now() < until) {
      await new Promise<void>((resolve) => void clock.schedule(2, resolve));
    }
    return condition() && mayCome();
  }
}
