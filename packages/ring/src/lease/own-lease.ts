import { randomUUID } from "node:crypto";
import type { Clock, ParsecError } from "@parsec/core";
import { type Coordinator, WriteConflict } from "../coordinator/coordinator.ts";
import { encodeLease, type LeaseRecord, type LeaseStatus, leaseKey } from "./lease-record.ts";

export interface LeaseTiming {
  /** How long a renewal is valid. */
  readonly leaseMs: number;
  /** Safety margin for clocks that run at different rates: the holder subtracts it, the others add it. */
  readonly marginMs: number;
}

export interface OwnLeaseOptions extends LeaseTiming {
  readonly clock: Clock;
  /** The time of day, which goes on while a machine is suspended. Used only to end a lease earlier. */
  readonly wallNow: () => number;
  readonly coordinator: Coordinator;
  readonly self: Pick<LeaseRecord, "id" | "address" | "zone" | "weight" | "durable">;
  /** Called when the lease becomes valid. */
  readonly onValid: () => void;
  /** Called when the lease has become invalid: nothing may be served. */
  readonly onInvalid: (reason: string) => void;
  /** Called when another process took the name over, or others declared this node dead; a new session has begun. */
  readonly onReplaced: (oldSession: string) => void;
  readonly onError: (error: ParsecError) => void;
}

/** One renewal may fail because the process was stopped while the answer was under way. */
const hopelessFailures = 2;

/** The entry under this node's own key; without a session when it was removed. */
export interface OwnEntry {
  readonly revision: number;
  readonly session: string | undefined;
}

/**
 * This node's own lease. It is valid from the moment the last acknowledged renewal was SENT, by this process's
 * monotonic clock, and for a little less than the others grant it, so that a process that was stopped for too
 * long finds it expired as soon as it checks.
 */
export class OwnLease {
  readonly key: string;
  readonly #options: OwnLeaseOptions;
  #session: string = randomUUID();
  #status: LeaseStatus = "active";
  #beat = 0;
  /** True once a write of this process was acknowledged. */
  #hasHeld = false;
  #replaced = 0;
  #revision = 0;
  #deadline = Number.NEGATIVE_INFINITY;
  #wallDeadline = Number.NEGATIVE_INFINITY;
  #wasValid = false;
  #renewing: Promise<void> | undefined = undefined;
  #again = false;
  #cancelTick: (() => void) | undefined = undefined;
  #cancelExpiry: (() => void) | undefined = undefined;
  #connected = false;
  #closed = false;
  #yieldUntil = Number.NEGATIVE_INFINITY;
  #echoedAt = Number.NEGATIVE_INFINITY;
  #ackedRevision = 0;
  #echoedRevision = 0;
  /** Renewals that failed since the last one that was acknowledged. */
  #failures = 0;

  constructor(options: OwnLeaseOptions) {
    this.#options = options;
    this.key = leaseKey(options.self.id);
  }

  get session(): string {
    return this.#session;
  }

  get status(): LeaseStatus {
    return this.#status;
  }

  /** The record as other nodes see it. */
  get record(): LeaseRecord {
    return {
      ...this.#options.self,
      session: this.#session,
      status: this.#status,
      beat: this.#beat,
      replaced: this.#replaced,
    };
  }

  /** Whether this node may serve at this moment. */
  get isValid(): boolean {
    const { clock, wallNow } = this.#options;
    const valid = clock.now() < this.#deadline && wallNow() < this.#wallDeadline;
    if (!valid && this.#wasValid) this.#expire("it was not renewed in time");
    return valid;
  }

  /**
   * Why this node has no lease, and cannot expect one soon: it is not connected to the storage, or several renewals have
   * failed. Undefined while it is valid, or may become valid at any moment, as after a stall of the event loop.
   */
  get lostReason(): string | undefined {
    if (this.isValid) return undefined;
    if (!this.#connected)
      return "this node has no lease: it is not connected to the ring's storage";
    if (this.#failures < hopelessFailures) return undefined;
    return "this node has no lease: renewals fail";
  }

  get remainingMs(): number {
    return Math.max(0, this.#deadline - this.#options.clock.now());
  }

  /** When the watch last returned a write of this node; without it, renewals of others do not arrive either. */
  get heardAtMs(): number {
    return this.#echoedAt;
  }

  /** Takes an entry of the watch under this node's own key. */
  seen(entry: OwnEntry): void {
    this.#echoedAt = this.#options.clock.now();
    this.#echoedRevision = Math.max(this.#echoedRevision, entry.revision);
    // Entries from before this node's last write are obsolete.
    if (entry.revision > this.#revision) this.#take(entry);
  }

  /** Acknowledgement and watch of an own write arrive in any order, but both carry the own session. */
  #take(entry: OwnEntry | undefined): void {
    const { revision = 0, session } = entry ?? {};
    if (session === this.#session) {
      this.#revision = Math.max(this.#revision, revision);
      return;
    }
    const begun = this.#beat > 0;
    this.#revision = revision;
    this.#replaced = session === undefined ? 0 : revision;
    const { clock, leaseMs } = this.#options;
    if (session !== undefined && (this.#hasHeld || clock.now() < this.#yieldUntil)) {
      // Two processes with one name must not take it from each other in turns: the older one waits.
      this.#yieldUntil = clock.now() + 2 * leaseMs;
    }
    if (begun) this.#begin(session === undefined ? "removed" : "taken over");
  }

  /** All entries were read again; `entry` is the one under the own key. */
  connected(entry: OwnEntry | undefined): void {
    this.#connected = true;
    this.#take(entry);
    this.#echoedAt = this.#options.clock.now();
    this.#ackedRevision = 0;
    void this.renew();
  }

  disconnected(): void {
    this.#connected = false;
    this.#cancelTick?.();
  }

  /** Renews at once, so that others see the new status. */
  announce(status: LeaseStatus): Promise<void> {
    this.#status = status;
    return this.renew();
  }

  async renew(): Promise<void> {
    if (this.#renewing !== undefined) {
      this.#again = true;
      return this.#renewing;
    }
    this.#cancelTick?.();
    if (this.#closed || !this.#connected) return;
    if (this.#options.clock.now() < this.#yieldUntil) {
      this.#tickLater();
      return;
    }
    this.#renewing = this.#write().finally(() => {
      this.#renewing = undefined;
      const again = this.#again;
      this.#again = false;
      if (again) void this.renew();
      else this.#tickLater();
    });
    return this.#renewing;
  }

  /** Removes the record, unless it is that of another session. */
  async release(): Promise<void> {
    this.#closed = true;
    this.#cancelTick?.();
    await this.#renewing;
    this.fence("the node left");
    if (!this.#connected || this.#revision === 0) return;
    const { coordinator, leaseMs } = this.#options;
    await coordinator
      .remove(this.key, { revision: this.#revision, timeoutMs: leaseMs })
      .catch(() => {});
  }

  /** Ends the validity at once. */
  fence(reason: string): void {
    this.#deadline = Number.NEGATIVE_INFINITY;
    this.#expire(reason);
  }

  stop(): void {
    this.#closed = true;
    this.#cancelTick?.();
    this.#cancelExpiry?.();
  }

  async #write(): Promise<void> {
    const { clock, wallNow, coordinator, leaseMs, marginMs } = this.#options;
    const sentAt = clock.now();
    const wallSentAt = wallNow();
    const session = this.#session;
    this.#beat++;
    try {
      const revision = await coordinator.write(this.key, encodeLease(this.record), {
        revision: this.#revision,
        timeoutMs: leaseMs / 2,
      });
      if (session !== this.#session) return;
      this.#revision = Math.max(this.#revision, revision);
      this.#ackedRevision = revision;
      this.#hasHeld = true;
      this.#failures = 0;
      if (this.#status === "gone") return;
      this.#deadline = Math.max(this.#deadline, sentAt + leaseMs - marginMs);
      this.#wallDeadline = wallSentAt + leaseMs - marginMs;
      if (!this.isValid) return;
      this.#watchExpiry();
      if (!this.#wasValid) {
        this.#wasValid = true;
        this.#options.onValid();
      }
    } catch (error) {
      // After a conflict the watch delivers the new entry; if it does not, it has to be read.
      if (error instanceof WriteConflict) coordinator.resync();
      else {
        this.#failures++;
        this.#options.onError(error as ParsecError);
      }
    }
  }

  #tickLater(): void {
    if (this.#closed || !this.#connected) return;
    const { clock, leaseMs } = this.#options;
    this.#cancelTick?.();
    this.#cancelTick = clock.schedule(leaseMs / 3, () => {
      this.#checkEcho();
      void this.renew();
    });
  }

  /** Acknowledged renewals that the watch does not return show that the watch has failed. */
  #checkEcho(): void {
    const { clock, coordinator, leaseMs } = this.#options;
    if (this.#ackedRevision <= this.#echoedRevision) return;
    if (clock.now() - this.#echoedAt < leaseMs) return;
    this.#echoedAt = clock.now();
    coordinator.resync();
  }

  #watchExpiry(): void {
    this.#cancelExpiry?.();
    this.#cancelExpiry = this.#options.clock.schedule(this.remainingMs + 1, () => {
      if (this.isValid) this.#watchExpiry();
    });
  }

  #expire(reason: string): void {
    if (!this.#wasValid) return;
    this.#wasValid = false;
    this.#cancelExpiry?.();
    this.#options.onInvalid(reason);
  }

  /** Begins a new session: the partitions of the old one belong to others by now. */
  #begin(how: string): void {
    const old = this.#session;
    this.fence(`its record was ${how}`);
    this.#session = randomUUID();
    this.#beat = 0;
    this.#options.onReplaced(old);
    if (this.#connected) void this.renew();
  }
}
