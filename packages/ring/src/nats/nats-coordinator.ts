import {
  DiscardPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamInfo,
} from "@nats-io/jetstream";
import { headers, type MsgHdrs, type NatsConnection } from "@nats-io/transport-node";
import { type Clock, ParsecError } from "@parsec/core";
import type {
  Coordinator,
  CoordinatorListener,
  CoordinatorWrite,
} from "../coordinator/coordinator.ts";
import { type BucketWatch, watchBucket } from "./bucket-watch.ts";
import {
  isNobodyThere,
  isStreamMissing,
  isWithoutJetStream,
  natsFailed,
  withoutJetStream,
  writeFailed,
} from "./nats-errors.ts";
import type { NatsUplink } from "./nats-uplink.ts";

export interface NatsCoordinatorOptions {
  readonly uplink: NatsUplink;
  readonly bucket: string;
  readonly replicas: number;
  readonly storage: "file" | "memory";
  readonly clock: Clock;
}

const openTimeoutMs = 2000;
const retryMs = 100;
const copiesForSafety = 3;

/**
 * Where nodes agree, in a JetStream key-value bucket. Works on servers from 2.9 on alike: nothing expires
 * there, nothing is read by direct get, every write is a compare-and-set, and the watch reports its gaps.
 */
export class NatsCoordinator implements Coordinator {
  /** Somebody may delete the bucket, or the server lose its disk. */
  readonly mayForget = true;
  readonly #options: NatsCoordinatorOptions;
  readonly #prefix: string;
  readonly #stream: string;
  #listener: CoordinatorListener | undefined = undefined;
  #publisher: JetStreamClient | undefined = undefined;
  #watch: BucketWatch | undefined = undefined;
  /** Raised whenever what is under way has been overtaken. */
  #generation = 0;
  #opening = false;
  #warned = false;
  #closed = false;
  #cancelRetry: (() => void) | undefined = undefined;

  constructor(options: NatsCoordinatorOptions) {
    this.#options = options;
    this.#prefix = `$KV.${options.bucket}.`;
    this.#stream = `KV_${options.bucket}`;
  }

  start(listener: CoordinatorListener): void {
    this.#listener = listener;
    this.#options.uplink.listen({
      up: (client) => this.#reopen(client),
      down: (reason) => {
        this.#leave();
        if (!this.#closed) listener.lost(reason);
      },
    });
    this.#options.uplink.start();
  }

  write(key: string, value: Uint8Array, options: CoordinatorWrite): Promise<number> {
    return this.#publish(key, { value, headers: undefined, ...options });
  }

  remove(key: string, options: CoordinatorWrite): Promise<number> {
    const marker = headers();
    marker.set("KV-Operation", "DEL");
    return this.#publish(key, { value: new Uint8Array(), headers: marker, ...options });
  }

  resync(): void {
    const { client } = this.#options.uplink;
    // What is being read already is new enough.
    if (client !== undefined && !this.#opening) this.#reopen(client);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave();
    if (this.#listener !== undefined) await this.#options.uplink.release();
  }

  async #publish(
    key: string,
    write: CoordinatorWrite & { readonly value: Uint8Array; readonly headers: MsgHdrs | undefined },
  ): Promise<number> {
    const { uplink } = this.#options;
    const publisher = this.#publisher;
    // While it is away, the client would keep the message and send it who knows when.
    if (publisher === undefined || uplink.client === undefined) {
      throw new ParsecError("PEER_UNREACHABLE", "there is no connection to NATS");
    }
    try {
      const { seq } = await publisher.publish(this.#prefix + key, write.value, {
        expect: { lastSubjectSequence: write.revision },
        timeout: Math.ceil(write.timeoutMs),
        retries: 0,
        ...(write.headers === undefined ? {} : { headers: write.headers }),
      });
      return seq;
    } catch (error) {
      if (isNobodyThere(error)) this.resync();
      throw writeFailed(key, error);
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
    const isCurrent = (): boolean => generation === this.#generation && !this.#closed;
    this.#opening = true;
    try {
      const manager = await jetstreamManager(client, { timeout: openTimeoutMs, checkAPI: false });
      this.#publisher = jetstream(client, { timeout: openTimeoutMs });
      const info = await this.#openStream(manager);
      if (!isCurrent()) return;
      this.#warn(client, info);
      const watch = await watchBucket({
        client,
        manager,
        stream: this.#stream,
        prefix: this.#prefix,
        subjects: new Set(Object.keys(info.state.subjects ?? {})),
        clock: this.#options.clock,
        // A bucket that was deleted and made anew has another time of birth.
        onSnapshot: (entries) => {
          if (!isCurrent()) return;
          this.#opening = false;
          this.#listener?.snapshot(entries, String(info.created));
        },
        onEntry: (entry) => {
          if (isCurrent()) this.#listener?.changed(entry);
        },
        onGap: () => {
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

  /** Finds the bucket, or makes it. */
  async #openStream(manager: JetStreamManager): Promise<StreamInfo> {
    const subjects = { subjects_filter: `${this.#prefix}>` };
    try {
      return await manager.streams.info(this.#stream, subjects);
    } catch (error) {
      if (!isStreamMissing(error)) throw error;
    }
    const { replicas, storage } = this.#options;
    try {
      return await manager.streams.add({
        name: this.#stream,
        description: "table and leases of a Parsec ring",
        subjects: [`${this.#prefix}>`],
        retention: RetentionPolicy.Limits,
        storage: storage === "file" ? StorageType.File : StorageType.Memory,
        num_replicas: replicas,
        max_msgs_per_subject: 1,
        discard: DiscardPolicy.New,
        allow_rollup_hdrs: true,
        deny_delete: true,
        deny_purge: false,
        // A direct get may be answered by a replica that is behind; no decision rests on one.
        allow_direct: false,
      });
    } catch (error) {
      // Another node may have been faster; with other settings than ours, which then hold.
      return manager.streams.info(this.#stream, subjects).catch(() => {
        throw error;
      });
    }
  }

  #openFailed(client: NatsConnection, cause: unknown): void {
    // A server that has JetStream may be without for a moment, while several elect a leader.
    const hopeless = isWithoutJetStream(cause) && client.info?.jetstream !== true;
    const error = hopeless ? withoutJetStream(cause) : natsFailed("the ring's bucket", cause);
    this.#listener?.lost(error);
    this.#cancelRetry = this.#options.clock.schedule(retryMs, () => {
      if (!client.isClosed()) this.#reopen(client);
    });
  }

  #warn(client: NatsConnection, info: StreamInfo): void {
    if (this.#warned) return;
    this.#warned = true;
    const replicas = info.config.num_replicas;
    if (client.info?.cluster !== undefined && replicas < copiesForSafety) {
      this.#listener?.warning(
        `the bucket ${this.#options.bucket} has ${replicas} of the ${copiesForSafety} copies that outlast a NATS server of the cluster`,
      );
    }
    const version = client.info?.version ?? "";
    const [major = 0, minor = 0, patch = 0] = version
      .split(".")
      .map((part) => Number.parseInt(part, 10));
    if (major === 2 && minor < 9) {
      this.#listener?.warning(
        `nats-server ${version} is older than 2.9, the oldest that was tried`,
      );
    } else if (major === 2 && minor === 10 && patch < 23) {
      this.#listener?.warning(
        `nats-server ${version} can lose a whole stream at a crash: use 2.10.23 or newer`,
      );
    }
  }
}
