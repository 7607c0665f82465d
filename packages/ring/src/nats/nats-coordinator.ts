import type { NatsConnection } from "@nats-io/transport-node";
import { type Clock, ParsecError } from "@parsec/core";
import {
  type Bucket,
  type BucketWatch,
  isBucketGone,
  isWriteConflict,
  lacksJetStream,
  type NatsUplink,
  natsFailed,
  openBucket,
  withoutJetStream,
} from "@parsec/nats";
import {
  type Coordinator,
  type CoordinatorListener,
  type CoordinatorWrite,
  WriteConflict,
} from "../coordinator/coordinator.ts";
import { serverWarnings } from "./server-warnings.ts";

export interface NatsCoordinatorOptions {
  readonly uplink: NatsUplink;
  readonly bucket: string;
  readonly replicas: number;
  readonly storage: "file" | "memory";
  readonly clock: Clock;
}

const openTimeoutMs = 2000;
const retryMs = 100;
const ringNeedsJetStream = {
  need: "the ring keeps its table in JetStream",
  remedy: "enable it",
};

/**
 * Coordinates nodes through a JetStream key-value bucket. Works on servers from 2.9 on alike: no entry
 * expires, every write is a compare-and-set, and the watch reports its gaps.
 */
export class NatsCoordinator implements Coordinator {
  /** A user may delete the bucket, or the server lose its disk. */
  readonly mayForget = true;
  readonly #options: NatsCoordinatorOptions;
  #listener: CoordinatorListener | undefined = undefined;
  #bucket: Bucket | undefined = undefined;
  #watch: BucketWatch | undefined = undefined;
  /** Incremented whenever work under way is obsolete. */
  #generation = 0;
  #opening = false;
  #warned = false;
  #closed = false;
  #cancelRetry: (() => void) | undefined = undefined;

  constructor(options: NatsCoordinatorOptions) {
    this.#options = options;
  }

  start(listener: CoordinatorListener): void {
    const { uplink } = this.#options;
    this.#listener = listener;
    const lost = (reason: ParsecError): void => {
      this.#leave();
      if (!this.#closed) listener.lost(reason);
    };
    uplink.listen({
      up: (client) => this.#reopen(client),
      down: lost,
      failed: (error) => {
        if (!uplink.connected) lost(error);
      },
    });
    uplink.start();
  }

  write(key: string, value: Uint8Array, options: CoordinatorWrite): Promise<number> {
    return this.#write(key, (bucket) => bucket.put(key, value, options));
  }

  remove(key: string, options: CoordinatorWrite): Promise<number> {
    return this.#write(key, (bucket) => bucket.remove(key, options));
  }

  resync(): void {
    const { client } = this.#options.uplink;
    // A read that is under way is recent enough.
    if (client !== undefined && !this.#opening) this.#reopen(client);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave();
  }

  async #write(key: string, attempt: (bucket: Bucket) => Promise<number>): Promise<number> {
    if (this.#closed) throw new ParsecError("CLOSED", "the coordinator was closed");
    const bucket = this.#bucket;
    // While disconnected, the client would keep the message and send it at an unknown time.
    if (bucket === undefined || !this.#options.uplink.connected) {
      throw new ParsecError("PEER_UNREACHABLE", "not connected to NATS");
    }
    try {
      return await attempt(bucket);
    } catch (error) {
      if (isWriteConflict(error)) throw new WriteConflict(key);
      if (isBucketGone(error)) this.resync();
      throw natsFailed(`NATS did not store ${key}`, error);
    }
  }

  #leave(): void {
    this.#generation++;
    this.#opening = false;
    this.#cancelRetry?.();
    this.#watch?.stop();
    this.#watch = undefined;
  }

  #reopen(client: NatsConnection): void {
    this.#leave();
    if (!this.#closed) void this.#open(client, this.#generation);
  }

  async #open(client: NatsConnection, generation: number): Promise<void> {
    const { bucket: name, replicas, storage, clock } = this.#options;
    const isCurrent = (): boolean => generation === this.#generation && !this.#closed;
    this.#opening = true;
    try {
      const bucket = await openBucket(client, {
        name,
        description: "table and leases of a Parsec ring",
        replicas,
        storage,
        timeoutMs: openTimeoutMs,
        clock,
      });
      if (!isCurrent()) return;
      this.#bucket = bucket;
      this.#warn(client, bucket);
      const watch = await bucket.watch(">", {
        snapshot: ({ entries, createdAt }) => {
          if (!isCurrent()) return;
          this.#opening = false;
          this.#listener?.snapshot(entries, createdAt);
        },
        changed: (entry) => {
          if (isCurrent()) this.#listener?.changed(entry);
        },
        ended: () => {
          if (isCurrent()) this.#reopen(client);
        },
      });
      if (isCurrent()) this.#watch = watch;
      else watch.stop();
    } catch (error) {
      if (!isCurrent()) return;
      this.#opening = false;
      this.#openFailed(client, error);
    }
  }

  #openFailed(client: NatsConnection, cause: unknown): void {
    const error = lacksJetStream(cause, client)
      ? withoutJetStream(ringNeedsJetStream, cause)
      : natsFailed("the ring's bucket", cause);
    this.#listener?.lost(error);
    this.#cancelRetry = this.#options.clock.schedule(retryMs, () => {
      if (!client.isClosed()) this.#reopen(client);
    });
  }

  #warn(client: NatsConnection, { replicas }: Bucket): void {
    if (this.#warned) return;
    this.#warned = true;
    const { bucket } = this.#options;
    for (const message of serverWarnings(client, { bucket, replicas })) {
      this.#listener?.warning(message);
    }
  }
}
