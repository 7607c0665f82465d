import { ParsecError } from "@parsec/core";
import { isSamePosition, type Position } from "./partition-state.ts";
import type { Replica } from "./replica.ts";

/**
 * When a write counts as done. `owner`: at once, so that it is lost when the owner dies before it was
 * copied. `one-backup`: one more node has it. `all`: every backup has it.
 */
export type WriteAck = "owner" | "one-backup" | "all";

interface Entry {
  readonly seq: number;
  readonly op: Uint8Array;
  readonly ack: WriteAck;
  readonly appendedAtMs: number;
  readonly resolve: (answer: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** How far a backup has come, as the log has to know. */
export interface LogFollower {
  readonly id: string;
  /** The last operation it confirmed; -1 as long as it has no copy of this history. */
  readonly confirmedSeq: number;
  /** What has to be kept for it, -1 for nothing. */
  readonly neededSeq: number;
  /** There is more to send. */
  advance(): void;
}

const noBytes = new Uint8Array();

/**
 * The order of the writes of one partition while this node owns it. An operation is numbered, sent to the
 * backups, and carried out here only when enough of them have it: so nobody ever reads what may be lost
 * with this node.
 */
export class PartitionLog {
  readonly epoch: number;
  /** Where the history stood when this node took over. */
  readonly base: Position;
  readonly #replica: Replica;
  readonly #now: () => number;
  readonly #maxRetainedBytes: number;
  readonly #followers: Map<string, LogFollower> = new Map();
  readonly #idle: Set<() => void> = new Set();
  /** Not yet forgotten, by number, without gaps. */
  readonly #kept: Entry[] = [];
  #keptBytes = 0;
  #lastSeq: number;
  #committedSeq: number;
  #committing = false;
  #ended: ParsecError | undefined = undefined;
  /** Each must have confirmed, since either may be who takes over: two of them while the table changes. */
  #quorums: readonly ReadonlySet<string>[] = [];

  constructor(options: {
    readonly epoch: number;
    readonly replica: Replica;
    readonly now: () => number;
    readonly maxRetainedBytes: number;
  }) {
    this.epoch = options.epoch;
    this.#replica = options.replica;
    this.#now = options.now;
    this.#maxRetainedBytes = options.maxRetainedBytes;
    this.base = options.replica.position;
    this.#lastSeq = this.base.seq;
    this.#committedSeq = this.base.seq;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get committedSeq(): number {
    return this.#committedSeq;
  }

  /** The position after operation `seq`, which is the base or one of this log's own. */
  positionAt(seq: number): Position {
    return seq === this.base.seq ? this.base : { epoch: this.epoch, seq };
  }

  /** The number up to which `position` shares this history; undefined when it is of another one. */
  seqOf(position: Position): number | undefined {
    if (isSamePosition(position, this.base)) return position.seq;
    const own = position.epoch === this.epoch && position.seq > this.base.seq;
    return own && position.seq <= this.#lastSeq ? position.seq : undefined;
  }

  /** Operations after `seq`, at most `maxBytes` of them but one at least; undefined when they are forgotten. */
  after(seq: number, maxBytes: number): Uint8Array[] | undefined {
    const first = this.#kept[0];
    if (seq >= this.#lastSeq) return [];
    if (first === undefined || first.seq > seq + 1) return undefined;
    const ops: Uint8Array[] = [];
    let bytes = 0;
    for (let at = seq + 1 - first.seq; at < this.#kept.length; at++) {
      const { op } = this.#kept[at] as Entry;
      bytes += op.length;
      if (ops.length > 0 && bytes > maxBytes) break;
      ops.push(op);
    }
    return ops;
  }

  /** Resolves with the application's answer when the write is done as `ack` asks. */
  append(op: Uint8Array, ack: WriteAck): Promise<Uint8Array> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (this.#keptBytes > 2 * this.#maxRetainedBytes) {
      const message = "too many writes of the partition wait for its backups";
      return Promise.reject(new ParsecError("OVERLOADED", message));
    }
    return new Promise((resolve, reject) => {
      const seq = ++this.#lastSeq;
      this.#kept.push({ seq, op, ack, appendedAtMs: this.#now(), resolve, reject });
      this.#keptBytes += op.length;
      for (const follower of this.#followers.values()) follower.advance();
      this.advance();
    });
  }

  follow(follower: LogFollower): void {
    this.#followers.set(follower.id, follower);
  }

  unfollow(id: string): void {
    this.#followers.delete(id);
    this.advance();
  }

  /** From now on these sets of backups have to confirm. */
  require(quorums: readonly ReadonlySet<string>[]): void {
    this.#quorums = quorums;
    this.advance();
  }

  /** Carries out what enough backups have confirmed. */
  advance(): void {
    if (this.#committing || this.#ended !== undefined) return;
    this.#committing = true;
    this.#commit();
  }

  /** Backups that keep a write waiting since before `sinceMs`. */
  blockersSince(sinceMs: number): readonly string[] {
    const oldest = this.#entryAt(this.#committedSeq + 1);
    if (oldest === undefined || oldest.appendedAtMs > sinceMs || oldest.ack === "owner") return [];
    const missing = new Set<string>();
    for (const quorum of this.#quorums) {
      if (this.#isConfirmedBy(quorum, oldest)) continue;
      for (const id of quorum) if (!this.#hasConfirmed(id, oldest.seq)) missing.add(id);
    }
    return [...missing];
  }

  get isIdle(): boolean {
    return this.#committedSeq === this.#lastSeq && !this.#committing;
  }

  /** Resolves when everything appended so far was carried out, or the log has ended. */
  whenIdle(): Promise<void> {
    if (this.isIdle || this.#ended !== undefined) return Promise.resolve();
    return new Promise((resolve) => this.#idle.add(resolve));
  }

  /** This node owns the partition no longer. Nobody can say what becomes of writes that were under way. */
  end(reason: ParsecError): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#followers.clear();
    for (const entry of this.#kept) if (entry.seq > this.#committedSeq) entry.reject(reason);
    this.#kept.length = 0;
    this.#tellIdle();
  }

  #commit(): void {
    for (;;) {
      const entry = this.#entryAt(this.#committedSeq + 1);
      if (entry === undefined || this.#ended !== undefined || !this.#isConfirmed(entry)) break;
      const position = { epoch: this.epoch, seq: entry.seq };
      let answer: Uint8Array | undefined | Promise<Uint8Array | undefined>;
      try {
        answer = this.#replica.apply(entry.op, { position, isOwner: true });
      } catch (error) {
        answer = Promise.reject(error);
      }
      if (answer instanceof Promise) {
        void this.#finishLater(entry, answer);
        return;
      }
      this.#committedSeq = entry.seq;
      entry.resolve(answer ?? noBytes);
    }
    this.#committing = false;
    this.#forget();
    if (this.#committedSeq === this.#lastSeq) this.#tellIdle();
  }

  async #finishLater(entry: Entry, answer: Promise<Uint8Array | undefined>): Promise<void> {
    try {
      entry.resolve((await answer) ?? noBytes);
    } catch (error) {
      entry.reject(error);
    }
    this.#committedSeq = entry.seq;
    this.#commit();
  }

  #isConfirmed(entry: Entry): boolean {
    if (entry.ack === "owner") return true;
    return this.#quorums.every((quorum) => this.#isConfirmedBy(quorum, entry));
  }

  #isConfirmedBy(quorum: ReadonlySet<string>, { seq, ack }: Entry): boolean {
    if (quorum.size === 0) return true;
    const ids = [...quorum];
    return ack === "all"
      ? ids.every((id) => this.#hasConfirmed(id, seq))
      : ids.some((id) => this.#hasConfirmed(id, seq));
  }

  #hasConfirmed(id: string, seq: number): boolean {
    return (this.#followers.get(id)?.confirmedSeq ?? -1) >= seq;
  }

  #entryAt(seq: number): Entry | undefined {
    const first = this.#kept[0];
    return first === undefined ? undefined : this.#kept[seq - first.seq];
  }

  /** Forgets what every follower has; and what a slow one lacks when it becomes too much: it gets a copy. */
  #forget(): void {
    let needed = this.#committedSeq;
    for (const { neededSeq } of this.#followers.values()) {
      if (neededSeq >= 0) needed = Math.min(needed, neededSeq);
    }
    let count = 0;
    for (const entry of this.#kept) {
      const unneeded = entry.seq <= needed || this.#keptBytes > this.#maxRetainedBytes;
      if (!unneeded || entry.seq > this.#committedSeq) break;
      this.#keptBytes -= entry.op.length;
      count++;
    }
    if (count > 0) this.#kept.splice(0, count);
  }

  #tellIdle(): void {
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }
}
