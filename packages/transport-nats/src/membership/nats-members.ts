import type { Clock } from "@parsec/core";
import type { MemberRecord } from "./nats-member-record.ts";

/** Members that fell silent within this time join more slowly. */
const flapMemoryMs = 60_000;
const longestJoinDelayMs = 10_000;
/** How long a member that has left is remembered, so that its last record does not bring it back. */
const goneMemoryMs = 600_000;
/** The largest number of members. */
const maxMembers = 4096;

interface Member {
  session: number;
  beat: number;
  /** When the last new heartbeat arrived, on this node's own clock. */
  heardAt: number;
  /** Set during the delay before it joins. */
  cancelJoin: (() => void) | undefined;
}

interface Gone {
  readonly session: number;
  readonly beat: number;
  readonly at: number;
  /** How often it fell silent recently. */
  readonly silences: number;
}

export interface MembersOptions {
  readonly selfId: string;
  readonly clock: Clock;
  readonly silenceMs: number;
  readonly joinDelayMs: number;
  /** Called with the new members, this node included, sorted. */
  readonly onChange: (ids: readonly string[]) => void;
  /** Called with each heartbeat of a member. */
  readonly onAlive: (id: string) => void;
}

/**
 * Determines the members from their heartbeats. Only new heartbeats count, by their own numbers, and only this node's
 * monotonic clock: neither the times nor the revisions of the bucket, which start over when it is lost. While
 * this node does not receive its own heartbeats either, no member is dropped.
 */
export class Members {
  readonly #options: MembersOptions;
  readonly #members: Map<string, Member> = new Map();
  readonly #gone: Map<string, Gone> = new Map();
  #echoAt = 0;
  #started = false;
  #closed = false;

  constructor(options: MembersOptions) {
    this.#options = options;
  }

  /** Every member, this node included, sorted. */
  get ids(): readonly string[] {
    const joined = [...this.#members].filter(([, member]) => member.cancelJoin === undefined);
    return [this.#options.selfId, ...joined.map(([id]) => id)].sort();
  }

  /** Takes a record of another node, which may have been read before. */
  heard(record: MemberRecord): void {
    if (this.#closed) return;
    const { id, session, beat } = record;
    const member = this.#members.get(id);
    if (member === undefined) {
      const gone = this.#gone.get(id);
      if (gone?.session === session && gone.beat >= beat) return;
      if (this.#members.size < maxMembers) this.#welcome(record);
      return;
    }
    if (member.session === session && member.beat >= beat) return;
    member.session = session;
    member.beat = beat;
    member.heardAt = this.#options.clock.now();
    if (member.cancelJoin === undefined) this.#options.onAlive(id);
  }

  /** Drops a member that has left. */
  left(id: string): void {
    this.#remove(id, false);
  }

  /**
   * This node's own heartbeat was received, so the watch works. The first time, all nodes that were heard by then
   * are members at once.
   */
  echo(): void {
    const { clock } = this.#options;
    const now = clock.now();
    const wasDeaf = now - this.#echoAt > this.#patienceMs;
    this.#echoAt = now;
    if (this.#closed) return;
    if (!this.#started) {
      this.#started = true;
      this.#changed();
      return;
    }
    if (!wasDeaf) return;
    for (const member of this.#members.values()) member.heardAt = now;
  }

  /** Whether own heartbeats were received recently. */
  get hears(): boolean {
    return this.#started && this.#options.clock.now() - this.#echoAt <= this.#patienceMs;
  }

  /** Drops members that have been silent for too long. Call it regularly. */
  judge(): void {
    const now = this.#options.clock.now();
    for (const [id, gone] of this.#gone) if (now - gone.at > goneMemoryMs) this.#gone.delete(id);
    if (!this.hears) return;
    for (const [id, member] of [...this.#members]) {
      if (now - member.heardAt > this.#options.silenceMs) this.#remove(id, true);
    }
  }

  close(): void {
    this.#closed = true;
    for (const member of this.#members.values()) member.cancelJoin?.();
  }

  /** Less than `silenceMs`, so that a broken watch is detected before it looks like silence of others. */
  get #patienceMs(): number {
    return this.#options.silenceMs / 2;
  }

  #welcome(record: MemberRecord): void {
    const { clock, joinDelayMs } = this.#options;
    const { id, session, beat } = record;
    const member: Member = { session, beat, heardAt: clock.now(), cancelJoin: undefined };
    this.#members.set(id, member);
    if (!this.#started) return;
    const gone = this.#gone.get(id);
    const silences = gone !== undefined && clock.now() - gone.at < flapMemoryMs ? gone.silences : 0;
    const delayMs = Math.min(
      joinDelayMs * 2 ** silences,
      Math.max(joinDelayMs, longestJoinDelayMs),
    );
    if (delayMs === 0) {
      this.#changed();
      return;
    }
    member.cancelJoin = clock.schedule(delayMs, () => {
      member.cancelJoin = undefined;
      this.#changed();
    });
  }

  #remove(id: string, silent: boolean): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    const now = this.#options.clock.now();
    const before = this.#gone.get(id);
    const lately = before !== undefined && now - before.at < flapMemoryMs ? before.silences : 0;
    const { session, beat, cancelJoin } = member;
    if (this.#gone.size >= maxMembers) this.#gone.delete(this.#gone.keys().next().value ?? "");
    this.#gone.set(id, { session, beat, at: now, silences: silent ? lately + 1 : lately });
    this.#members.delete(id);
    if (cancelJoin === undefined) this.#changed();
    else cancelJoin();
  }

  #changed(): void {
    if (this.#started && !this.#closed) this.#options.onChange(this.ids);
  }
}
