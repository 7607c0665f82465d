import { ParsecError } from "@parsec/core";
import { isSamePosition, type Position } from "./partition-state.ts";
import type { Replica } from "./replica.ts";

/**
 * When a write is acknowledged. `owner`: at once; the write is lost when the owner dies before it was replicated.
 * `one-backup`: when one backup has it. `all`: when every backup has it.
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

/** The progress of a backup, for the log. */
export interface LogFollower {
  readonly id: string;
  /** The last operation that it confirmed; -1 while it has no copy of this history. */
  readonly confirmedSeq: number;
  /** Operations after this one are kept for it; -1 for none. */
  readonly neededSeq: number;
  /** Called when there are more operations to send. */
  advance(): void;
}

const noBytes = new Uint8Array();

/**
 * The replication log of one partition while this node owns it. An operation gets a number, is sent to the backups,
 * and is applied here only when enough of them have it, so that no reader sees a write that could still be lost
 * with this node.
 */
export class PartitionLog {
  readonly epoch: number;
  /** The position at which this node took over. */
  readonly base: Position;
  readonly #replica: Replica;
  readonly #now: () => number;
  readonly #maxRetainedBytes: number;
  readonly #followers: Map<string, LogFollower> = new Map();
  readonly #idle: Set<() => void> = new Set();
  /** Operations that are kept, by number, without gaps. */
  readonly #kept: Entry[] = [];
  #keptBytes = 0;
  #lastSeq: number;
  #committedSeq: number;
  #committing = false;
  #ended: ParsecError | undefined = undefined;
  /** All of these sets must confirm: two while the table changes, since nodes of either may take over. */
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

  /** The position after operation `seq`, which is the base or an operation of this log. */
  positionAt(seq: number): Position {
    return seq === this.base.seq ? this.base : { epoch: this.epoch, seq };
  }

  /** The number up to which `position` shares this history; undefined for another history. */
  seqOf(position: Position): number | undefined {
    if (isSamePosition(position, this.base)) return position.seq;
    const own = position.epoch === this.epoch && position.seq > this.base.seq;
    return own && position.seq <= this.#lastSeq ? position.seq : undefined;
  }

  /** Operations after `seq`, of at most `maxBytes` but at least one; undefined when they are not kept any more. */
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

  /** Appends an operation; resolves with the application's answer when it is acknowledged as `ack` demands. */
  append(op: Uint8Array, ack: WriteAck): Promise<Uint8Array> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (this.#keptBytes > 2 * this.#maxRetainedBytes) {
      const message = "too many writes of the partition are waiting for its backups";
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

  /** Sets the sets of backups that have to confirm. */
  require(quorums: readonly ReadonlySet<string>[]): void {
    this.#quorums = quorums;
    this.advance();
  }

  /** Applies the operations that enough backups have confirmed. */
  advance(): void {
    if (this.#committing || this.#ended !== undefined) return;
    this.#committing = true;
    this.#commit();
  }

  /** Backups for which a write has been waiting since before `sinceMs`. */
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

  /** Resolves when all appended operations were applied, or the log has ended. */
  whenIdle(): Promise<void> {
    if (this.isIdle || this.#ended !== undefined) return Promise.resolve();
    return new Promise((resolve) => this.#idle.add(resolve));
  }

  /** Ends the log, because this node does not own the partition any more. The outcome of pending writes is unknown. */
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

  /** Drops operations that every follower has, and those of a slow one beyond `maxRetainedBytes`: it gets a copy. */
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
