import { trustedMs } from "../replication/backup-request-handler.ts";
import { Follower } from "../replication/follower.ts";
import type { PartitionLog } from "../replication/partition-log.ts";
import type { Replica } from "../replication/replica.ts";
import { memberOf, type RingTable, type TableMember, type TablePart } from "../table/ring-table.ts";
import type { TableChange } from "../table/table-keeper.ts";
import type { RequestHead, RequestKind } from "../wire/ring-message.ts";
import type { TermContext } from "./term-context.ts";

export interface OwnerBackupsOptions {
  readonly context: Omit<TermContext, "hooks" | "handOvers">;
  readonly log: PartitionLog;
  readonly replica: Replica;
  readonly head: (kind: RequestKind) => RequestHead;
  /** Returns the table with another state of this partition; undefined when another node owns it. */
  readonly change: (
    table: RingTable,
    change: (part: TablePart) => TablePart,
  ) => RingTable | undefined;
  /** Called when a copy has advanced, or the table lists other backups. */
  readonly onProgress: () => void;
  /** Called with backups that are removed from the table because they are too slow. */
  readonly onDropped: (ids: readonly string[]) => void;
}

interface Follow {
  readonly session: string;
  readonly follower: Follower;
}

/** The delay before a backup is added, so that several changes share one write of the table. */
const addDelayMs = 40;
/** The delay before a change of the backups that failed is tried again. */
const retryMs = 100;
/** Operations that the next owner may lack when the partition is sealed and callers begin to wait. */
const maxSealedOps = 10_000;

/** The copies of one partition that its owner keeps on other nodes, and which of them the table lists. */
export class OwnerBackups {
  readonly #options: OwnerBackupsOptions;
  readonly #follows: Map<string, Follow> = new Map();
  #part: TablePart;
  #targets: readonly string[] = [];
  /** The backups of a change of the table that is under way. */
  #proposed: readonly TableMember[] | undefined = undefined;
  #ended = false;
  /** The members of the table that was applied last. */
  #members: readonly TableMember[] | undefined = undefined;

  constructor(part: TablePart, options: OwnerBackupsOptions) {
    this.#part = part;
    this.#options = options;
  }

  /** True while a change of the table's backups is under way. */
  get isChanging(): boolean {
    return this.#proposed !== undefined;
  }

  /** The nodes whose copy is complete at this moment. */
  get holders(): ReadonlySet<string> {
    const caughtUp = [...this.#follows].filter(([, { follower }]) => follower.isCaughtUp);
    return new Set(caughtUp.map(([id]) => id));
  }

  /** Takes a new state of this partition from the table. `targets` should hold copies. */
  update(part: TablePart, targets: readonly string[]): void {
    const members = this.#options.context.ring.table()?.members;
    const isSame =
      part === this.#part &&
      members === this.#members &&
      targets.length === this.#targets.length &&
      targets.every((id, at) => id === this.#targets[at]);
    // With many partitions, most tables change none of this one.
    if (isSame) return;
    this.#members = members;
    this.#part = part;
    this.#targets = targets;
    this.#followAll();
    this.#requireQuorums();
  }

  isFailing(id: string): boolean {
    return this.#follows.get(id)?.follower.isFailing !== false;
  }

  /** True when a node lacks so few operations that they can be sent while callers wait. */
  isClose(id: string): boolean {
    const follower = this.#follows.get(id)?.follower;
    if (follower === undefined || follower.confirmedSeq < 0 || follower.isFailing) return false;
    return this.#options.log.lastSeq - follower.confirmedSeq < maxSealedOps;
  }

  /** True when a node confirmed its copy so recently that it cannot have dropped it. */
  isConfirmed(id: string): boolean {
    const heldSinceMs = this.#follows.get(id)?.follower.heldSinceMs ?? Number.NEGATIVE_INFINITY;
    return this.#options.context.clock.now() - heldSinceMs < trustedMs;
  }

  /** Asks a node to confirm its copy; resolves with whether it did so in time. */
  async confirm(id: string): Promise<boolean> {
    const askedAtMs = this.#options.context.clock.now();
    this.#follows.get(id)?.follower.probe();
    return this.#becomesTrue(() => (this.#follows.get(id)?.follower.heldSinceMs ?? 0) >= askedAtMs);
  }

  /** Removes backups from the table for which writes have waited too long; until then the writes go on waiting. */
  checkStuck(): void {
    const { context, log, onDropped } = this.#options;
    if (this.#proposed !== undefined || this.#ended) return;
    const blockers = log.blockersSince(context.clock.now() - context.limits.replicaTimeoutMs);
    if (blockers.length === 0) return;
    const kept = this.#part.backups.filter((id) => !blockers.includes(id));
    onDropped(blockers);
    void this.#propose(kept);
  }

  /** Proposes a change of the table when backups can be added or removed. */
  consider(): void {
    if (this.#proposed !== undefined || this.#ended) return;
    const { backups } = this.#part;
    const isReady = (id: string): boolean => {
      const follower = this.#follows.get(id)?.follower;
      return follower !== undefined && !follower.isFailing && follower.confirmedSeq >= 0;
    };
    const ready = this.#targets.filter((id) => backups.includes(id) || isReady(id));
    // Surplus backups are removed once those that stay are complete.
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
    const { context, log, replica, head } = this.#options;
    const { selfId, clock, throttle, limits, ring } = context;
    const table = ring.table();
    if (table === undefined || this.#ended) return;
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
        pieceBytes: limits.pieceBytes,
        head,
        send: (request) => ring.send(member.address, request),
        onProgress: () => this.#options.onProgress(),
        onOvertaken: () => ring.resync(),
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
    const { context, log } = this.#options;
    const { clock, ring } = context;
    const table = ring.table();
    if (table === undefined) return;
    const members = ids.map((id) => memberOf(table, id)).filter((member) => member !== undefined);
    this.#proposed = members;
    // From now on the newcomers have to confirm as well, so that what they lack can only decrease.
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
    // Writes wait for the newcomers, but no longer when a newer plan does not want them.
    const isWanted = (): boolean =>
      newcomers.every((id) => this.#targets.includes(id) || this.#part.backups.includes(id));
    let written = false;
    if (await this.#becomesTrue(hasAll, isWanted)) {
      const change: TableChange = (current) => {
        const isLate = clock.now() - askedAtMs > trustedMs;
        if (newcomers.length > 0 && isLate) return undefined;
        return this.#options.change(current, (part) => {
          const present = members.filter(({ id, session }) => {
            const member = memberOf(current, id);
            return member?.present === true && member.session === session && id !== part.owner;
          });
          return { ...part, backups: present.map(({ id }) => id) };
        });
      };
      // No caller waits for an added backup, but writes may wait for the removal of one.
      written = await ring.propose(change, newcomers.length > 0 ? addDelayMs : 0);
    }
    this.#proposed = undefined;
    if (this.#ended) return;
    this.#followAll();
    this.#requireQuorums();
    if (written || !isWanted()) this.#options.onProgress();
    else clock.schedule(retryMs, () => this.#options.onProgress());
  }

  /** Resolves with whether the condition holds within `replicaTimeoutMs`, while it is wanted. */
  async #becomesTrue(condition: () => boolean, isWanted = () => true): Promise<boolean> {
    const { clock, limits } = this.#options.context;
    const deadline = clock.now() + limits.replicaTimeoutMs;
    const isPossible = (): boolean => isWanted() && !this.#ended;
    while (!condition() && isPossible() && clock.now() < deadline) {
      await new Promise<void>((resolve) => void clock.schedule(2, resolve));
    }
    return condition() && isPossible();
  }
}
