import type { KeyObject } from "node:crypto";
import type { NatsConnection } from "@nats-io/transport-node";
import { ParsecError } from "@parsec/core";
import {
  type Bucket,
  type BucketEntry,
  type BucketWatch,
  isBucketGone,
  lacksJetStream,
  type NatsUplink,
  natsFailed,
  openBucket,
  withoutJetStream,
} from "@parsec/nats";
import { toKey } from "../nats-auth.ts";
import type { ResolvedMembership, ResolvedNatsOptions } from "../nats-options.ts";
import { fromToken, toToken } from "../nats-subjects.ts";
import { decodeRecord, encodeRecord, type MemberRecord } from "./nats-member-record.ts";
import { Members } from "./nats-members.ts";

const firstRetryMs = 200;
const longestRetryMs = 5000;
/** Records expire from the bucket after this time at the earliest. */
const shortestMaxAgeMs = 60_000;
const kvNeedsJetStream = {
  need: 'membership "kv" keeps the members in a JetStream bucket',
  remedy: "enable it, or list the nodes by membership: { static: [ids] }",
};

export type KvMembership = Extract<ResolvedMembership, { kind: "kv" }>;

/** An opened bucket with its watch. */
interface View {
  readonly bucket: Bucket;
  readonly watch: BucketWatch;
}

/**
 * Announces this node by heartbeats in a bucket and follows those of others. After a reconnect, when a watch has ended,
 * when the bucket is gone, or when own heartbeats are not received, the bucket is opened and read again; the
 * members do not change meanwhile.
 */
export class NatsMembership {
  readonly #options: ResolvedNatsOptions;
  readonly #settings: KvMembership;
  readonly #uplink: NatsUplink;
  readonly #keys: readonly KeyObject[];
  readonly #ownKey: string;
  readonly #members: Members;
  readonly #onReady: () => void;
  readonly #onFailure: (error: ParsecError) => void;
  readonly #onRefused: (reason: string) => void;
  readonly #onRejoined: () => void;
  readonly #warned: Set<string> = new Set();
  #view: View | undefined = undefined;
  /** Incremented whenever work under way is obsolete. */
  #generation = 0;
  #failedAttempts = 0;
  #beat = 0;
  #ownRevision = 0;
  /** When the last stored heartbeat was sent. */
  #beatAt = 0;
  #openedAt = 0;
  #putting: Promise<void> | undefined = undefined;
  #cancelTick: (() => void) | undefined = undefined;
  #cancelRetry: (() => void) | undefined = undefined;
  #closed = false;

  constructor(
    options: ResolvedNatsOptions,
    parts: {
      readonly settings: KvMembership;
      readonly uplink: NatsUplink;
      readonly onMembers: (ids: readonly string[]) => void;
      /** Called with each heartbeat of a member. */
      readonly onAlive: (id: string) => void;
      /** Called when the members are known. */
      readonly onReady: () => void;
      readonly onFailure: (error: ParsecError) => void;
      readonly onRefused: (reason: string) => void;
      /** Called when this node was cut off for so long that the others dropped it. */
      readonly onRejoined: () => void;
    },
  ) {
    this.#options = options;
    this.#settings = parts.settings;
    this.#uplink = parts.uplink;
    this.#keys = options.secrets.map(toKey);
    this.#ownKey = `${options.subjects.cluster}.${toToken(options.nodeId)}`;
    this.#onReady = parts.onReady;
    this.#onFailure = parts.onFailure;
    this.#onRefused = parts.onRefused;
    this.#onRejoined = parts.onRejoined;
    const { silenceMs, joinDelayMs } = parts.settings;
    this.#members = new Members({
      selfId: options.nodeId,
      clock: options.clock,
      silenceMs,
      joinDelayMs,
      onChange: parts.onMembers,
      onAlive: parts.onAlive,
    });
    this.#uplink.listen({ up: (client) => this.#reopen(client), down: () => this.#leaveView() });
  }

  /** Removes this node from the bucket, so that others drop it at once instead of after its silence. */
  async leave(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTick?.();
    this.#cancelRetry?.();
    this.#members.close();
    const view = this.#view;
    this.#generation++;
    await this.#putting;
    if (view === undefined) return;
    if (this.#uplink.connected && this.#ownRevision > 0) {
      // If this fails, others detect the silence. A newer record under this name stays.
      await view.bucket.remove(this.#ownKey, { revision: this.#ownRevision }).catch(() => {});
    }
    this.#leaveView();
  }

  #leaveView(): void {
    this.#generation++;
    this.#cancelTick?.();
    this.#cancelRetry?.();
    this.#view?.watch.stop();
    this.#view = undefined;
  }

  #reopen(client: NatsConnection): void {
    this.#leaveView();
    if (!this.#closed) void this.#open(client, this.#generation);
  }

  async #open(client: NatsConnection, generation: number): Promise<void> {
    const { bucket: name, replicas, storage, silenceMs, heartbeatMs } = this.#settings;
    try {
      const bucket = await openBucket(client, {
        name,
        description: "members of a Parsec cluster",
        replicas,
        storage,
        clock: this.#options.clock,
        maxAgeMs: Math.max(shortestMaxAgeMs, silenceMs * 10),
        timeoutMs: Math.max(1000, heartbeatMs * 2),
      });
      // Before the watch, so that the first read contains the own record.
      await this.#put(bucket);
      const ownKey = this.#ownKey;
      const read = (entry: BucketEntry): void => {
        if (generation === this.#generation) this.#read(entry);
      };
      const watch = await bucket.watch(`${this.#options.subjects.cluster}.*`, {
        snapshot({ entries }) {
          // The own record last: it says that all others have been read.
          const isOwn = ({ key }: BucketEntry): boolean => key === ownKey;
          for (const entry of entries) if (!isOwn(entry)) read(entry);
          entries.filter(isOwn).forEach(read);
        },
        changed: read,
        ended: () => {
          if (generation === this.#generation) this.#reopen(client);
        },
      });
      if (generation !== this.#generation) {
        watch.stop();
        return;
      }
      this.#view = { bucket, watch };
      this.#openedAt = this.#options.clock.now();
      this.#failedAttempts = 0;
      this.#tickLater(client);
    } catch (error) {
      if (generation === this.#generation) this.#openFailed(client, error);
    }
  }

  #openFailed(client: NatsConnection, cause: unknown): void {
    const error = lacksJetStream(cause, client)
      ? withoutJetStream(kvNeedsJetStream, cause)
      : natsFailed("the membership bucket", cause);
    this.#uplink.noteError(error);
    this.#onFailure(error);
    const { clock, random } = this.#options;
    const backoffMs = Math.min(longestRetryMs, firstRetryMs * 2 ** this.#failedAttempts);
    this.#failedAttempts = Math.min(this.#failedAttempts + 1, 16);
    const delayMs = backoffMs * (0.5 + 0.5 * random());
    this.#cancelRetry = clock.schedule(delayMs, () => this.#reopen(client));
  }

  #tickLater(client: NatsConnection): void {
    const { clock } = this.#options;
    this.#cancelTick = clock.schedule(this.#settings.heartbeatMs, () => this.#tick(client));
  }

  #tick(client: NatsConnection): void {
    const view = this.#view;
    if (view === undefined) return;
    this.#members.judge();
    const openForMs = this.#options.clock.now() - this.#openedAt;
    if (!this.#members.hears && openForMs > this.#settings.silenceMs) {
      this.#reopen(client);
      return;
    }
    this.#tickLater(client);
    const generation = this.#generation;
    // One at a time, so that a slow server does not get more work.
    this.#putting ??= this.#put(view.bucket)
      .catch((error: unknown) => {
        if (generation !== this.#generation) return;
        this.#uplink.noteError(natsFailed("the membership bucket", error));
        if (isBucketGone(error)) this.#reopen(client);
      })
      .finally(() => {
        this.#putting = undefined;
      });
  }

  async #put(bucket: Bucket): Promise<void> {
    const { nodeId, sender: session, placement } = this.#options;
    const record = { id: nodeId, session, beat: ++this.#beat, placement };
    const bytes = encodeRecord(record, {
      bucketKey: this.#ownKey,
      key: this.#keys[0],
      wallNow: Date.now(),
    });
    const { clock } = this.#options;
    const sentAt = clock.now();
    const before = { revision: this.#ownRevision, at: this.#beatAt };
    this.#ownRevision = await bucket.put(this.#ownKey, bytes);
    this.#beatAt = sentAt;
    if (before.revision === 0 || this.#closed) return;
    const absenceMs = clock.now() - before.at;
    const recordsOfOthers = this.#ownRevision - before.revision - 1;
    if (this.#wentOnWithout({ absenceMs, recordsOfOthers })) {
      const message = `the other nodes dropped this node for ${Math.round(absenceMs)} ms: it clears its cache`;
      this.#options.onWarning({ kind: "membership", peerId: nodeId, message });
      this.#onRejoined();
    }
  }

  /**
   * Whether others dropped this node meanwhile. They detect silence only while they can write heartbeats themselves:
   * if the server was down for all, each has written only one or two since.
   */
  #wentOnWithout(gap: { readonly absenceMs: number; readonly recordsOfOthers: number }): boolean {
    const { silenceMs, heartbeatMs } = this.#settings;
    if (gap.absenceMs <= silenceMs) return false;
    const others = Math.max(1, this.#members.ids.length - 1);
    return gap.recordsOfOthers >= others * (1 + gap.absenceMs / heartbeatMs / 2);
  }

  #read(entry: BucketEntry): void {
    const record = entry.value === undefined ? undefined : this.#decode(entry.key, entry.value);
    if (entry.key === this.#ownKey) {
      if (record !== undefined) this.#readOwn(record);
    } else if (entry.value === undefined) {
      this.#left(entry.key);
    } else if (record !== undefined) {
      if (record.placement !== this.#options.placement) this.#warnOfPlacement(record);
      this.#members.heard(record);
    }
  }

  #readOwn(record: MemberRecord): void {
    if (record.session === this.#options.sender) {
      this.#members.echo();
      this.#onReady();
      return;
    }
    // After the first own heartbeat no other process should write this key.
    if (this.#members.hears) {
      this.#warnOnce("duplicate-node", `another process uses the nodeId ${record.id}, too`);
    }
  }

  #left(key: string): void {
    const id = fromToken(key.slice(key.lastIndexOf(".") + 1));
    if (id !== undefined) this.#members.left(id);
  }

  #decode(key: string, value: Uint8Array): MemberRecord | undefined {
    try {
      const record = decodeRecord(value, {
        bucketKey: key,
        keys: this.#keys,
        windowMs: this.#options.limits.maxClockSkewMs,
        wallNow: Date.now(),
      });
      if (this.#keyOf(record.id) === key) return record;
      this.#onRefused("a member's record is stored under another's key");
    } catch (error) {
      this.#onRefused(
        error instanceof ParsecError ? error.message : "a member's record is malformed",
      );
    }
    return undefined;
  }

  #keyOf(id: string): string {
    return `${this.#options.subjects.cluster}.${toToken(id)}`;
  }

  #warnOfPlacement(record: MemberRecord): void {
    const { placement } = this.#options;
    const message = `${record.id} places keys by ${JSON.stringify(record.placement.slice(0, 32))}, this node by "${placement}": they do not agree on owners`;
    this.#warnOnce("membership", message);
  }

  #warnOnce(kind: "membership" | "duplicate-node", message: string): void {
    if (this.#warned.has(message) || this.#warned.size > 100) return;
    this.#warned.add(message);
    this.#options.onWarning({ kind, peerId: this.#options.nodeId, message });
  }
}
