import { jetstream } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/transport-node";

/** An entry of the bucket as it was written or removed. */
export interface BucketEntry {
  readonly key: string;
  readonly removed: boolean;
  readonly value: Uint8Array;
}

export interface BucketWatcher {
  entry(entry: BucketEntry): void;
  /** No more entries will come: the watch has to be begun anew. */
  ended(): void;
}

/** The part of a key-value bucket that membership needs. */
export interface Bucket {
  /** Resolves with the revision. */
  put(key: string, value: Uint8Array): Promise<number>;
  /** Removes a key unless it was written after `revision`. */
  remove(key: string, revision: number): Promise<void>;
  /** Reads what there is under `filter`, the oldest first, and then whatever is written. */
  watch(filter: string, watcher: BucketWatcher): Promise<() => void>;
}

export interface BucketOptions {
  readonly name: string;
  readonly replicas: number;
  readonly storage: "memory" | "file";
  /** Records that nobody renews are of no use any more after this long. Nothing waits for their end. */
  readonly maxAgeMs: number;
  /** How long the server may take for each step. */
  readonly timeoutMs: number;
}

/** Opens the bucket, making it if it is not there. */
export async function openBucket(client: NatsConnection, options: BucketOptions): Promise<Bucket> {
  const { name, replicas, storage, maxAgeMs, timeoutMs } = options;
  const kv = await new Kvm(jetstream(client, { timeout: timeoutMs })).create(name, {
    description: "members of a Parsec cluster",
    history: 1,
    ttl: maxAgeMs,
    replicas,
    storage,
    // A direct get may be answered by a replica that is behind; nothing here is read that way.
    allow_direct: false,
  });
  return {
    put: (key, value) => kv.put(key, value),
    remove: (key, revision) => kv.delete(key, { previousSeq: revision }),
    watch: (filter, watcher) => watchBucket(kv, filter, watcher),
  };
}

async function watchBucket(kv: KV, filter: string, watcher: BucketWatcher): Promise<() => void> {
  const entries = await kv.watch({ key: filter });
  let stopped = false;
  const follow = async (): Promise<void> => {
    try {
      for await (const entry of entries) {
        if (stopped) return;
        const { key, operation, value } = entry;
        watcher.entry({ key, removed: operation !== "PUT", value });
      }
    } catch {
      // However it ended, it has to be begun anew.
    }
    if (!stopped) watcher.ended();
  };
  void follow();
  return () => {
    stopped = true;
    entries.stop();
  };
}
