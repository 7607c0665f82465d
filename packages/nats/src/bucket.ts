import {
  DiscardPolicy,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamInfo,
} from "@nats-io/jetstream";
import { headers, type MsgHdrs, type NatsConnection, nanos } from "@nats-io/transport-node";
import type { Clock } from "@parsec/core";
import { type BucketWatch, type BucketWatcher, watchBucket } from "./bucket-watch.ts";
import { isStreamMissing } from "./nats-errors.ts";

export interface BucketOptions {
  /** Letters, digits, `-` and `_`. */
  readonly name: string;
  /** Shown by tools that list streams. */
  readonly description: string;
  /** Copies that the servers keep, if the bucket is created here. */
  readonly replicas: number;
  readonly storage: "memory" | "file";
  /** Entries that are not written again expire after this time. Absent: never. */
  readonly maxAgeMs?: number;
  /** The time limit of each step on the server. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export interface BucketWrite {
  /** Makes the write a compare-and-set: the key must have this revision, 0 for a key that does not exist. */
  readonly revision?: number;
  /** Defaults to the bucket's `timeoutMs`. */
  readonly timeoutMs?: number;
}

/**
 * A JetStream key-value bucket. Works on servers from 2.9 on alike: nothing is read by direct get, whose
 * answer may come from a replica that is behind, and a watch reports its gaps.
 */
export interface Bucket {
  /** Copies that the servers keep: those of the bucket that was found, whatever the options say. */
  readonly replicas: number;
  /** Resolves with the new revision. Rejects with an error of the client; see `isWriteConflict`. */
  put(key: string, value: Uint8Array, write?: BucketWrite): Promise<number>;
  /** Deletes a key. Resolves with the revision of the deletion. Rejects like `put`. */
  remove(key: string, write?: BucketWrite): Promise<number>;
  /** Watches the keys that match `filter`, a subject pattern such as `"*"` or `">"`. */
  watch(filter: string, watcher: BucketWatcher): Promise<BucketWatch>;
}

/** Opens the bucket, and creates it if it does not exist. Rejects with an error of the client. */
export async function openBucket(client: NatsConnection, options: BucketOptions): Promise<Bucket> {
  const { name, timeoutMs, clock } = options;
  const stream = `KV_${name}`;
  const prefix = `$KV.${name}.`;
  const manager = await jetstreamManager(client, { timeout: timeoutMs, checkAPI: false });
  const publisher = jetstream(client, { timeout: timeoutMs });
  const info = await findOrCreateStream(manager, options);

  const publish = async (
    key: string,
    message: { readonly value: Uint8Array; readonly headers?: MsgHdrs } & BucketWrite,
  ): Promise<number> => {
    const { revision } = message;
    const { seq } = await publisher.publish(prefix + key, message.value, {
      timeout: Math.ceil(message.timeoutMs ?? timeoutMs),
      retries: 0,
      ...(revision === undefined ? {} : { expect: { lastSubjectSequence: revision } }),
      ...(message.headers === undefined ? {} : { headers: message.headers }),
    });
    return seq;
  };

  return {
    replicas: info.config.num_replicas,
    put: (key, value, write) => publish(key, { value, ...write }),
    remove(key, write) {
      const marker = headers();
      marker.set("KV-Operation", "DEL");
      return publish(key, { value: new Uint8Array(), headers: marker, ...write });
    },
    watch: (filter, watcher) =>
      watchBucket({ client, manager, stream, prefix, filter, clock }, watcher),
  };
}

async function findOrCreateStream(
  manager: JetStreamManager,
  options: BucketOptions,
): Promise<StreamInfo> {
  const { name, description, replicas, storage, maxAgeMs } = options;
  const stream = `KV_${name}`;
  try {
    return await manager.streams.info(stream);
  } catch (error) {
    if (!isStreamMissing(error)) throw error;
  }
  try {
    return await manager.streams.add({
      name: stream,
      description,
      subjects: [`$KV.${name}.>`],
      retention: RetentionPolicy.Limits,
      storage: storage === "file" ? StorageType.File : StorageType.Memory,
      num_replicas: replicas,
      max_msgs_per_subject: 1,
      discard: DiscardPolicy.New,
      allow_rollup_hdrs: true,
      deny_delete: true,
      deny_purge: false,
      allow_direct: false,
      ...(maxAgeMs === undefined ? {} : { max_age: nanos(maxAgeMs) }),
    });
  } catch (error) {
    // Another node may have been faster, perhaps with other settings, which then hold.
    return manager.streams.info(stream).catch(() => {
      throw error;
    });
  }
}
