import { randomUUID } from "node:crypto";
import { AckPolicy, DeliverPolicy, type JetStreamManager } from "@nats-io/jetstream";
import { createInbox, type Msg, type NatsConnection, nanos } from "@nats-io/transport-node";
import type { Clock } from "@parsec/core";

/** The latest state of one key of a bucket. */
export interface BucketEntry {
  readonly key: string;
  /** Undefined when the key was deleted or has expired. */
  readonly value: Uint8Array | undefined;
  readonly revision: number;
}

/** What a bucket held when a watch began, in order of revision. */
export interface BucketSnapshot {
  readonly entries: readonly BucketEntry[];
  /** When the bucket was created: another time after it was deleted and created anew. */
  readonly createdAt: string;
}

export interface BucketWatcher {
  /** Called once, before any `changed`. */
  snapshot(snapshot: BucketSnapshot): void;
  changed(entry: BucketEntry): void;
  /** Entries were missed or the server fell silent: the watch is over, and a new one is needed. */
  ended(reason: string): void;
}

export interface BucketWatch {
  stop(): void;
}

const heartbeatMs = 500;
const silenceMs = 4 * heartbeatMs;
const inactiveMs = 10_000;
/** The time limit of the first read, which never ends when a subject is purged in the meantime. */
const firstReadMs = 2_000;

/** The position of a delivered message, from its reply subject. */
interface Delivered {
  readonly revision: number;
  readonly number: number;
}

/**
 * Watches the keys of a bucket that match `filter`, with a consumer of its own that detects everything it
 * missed: gaps in the numbers, and a server that falls silent. It repairs nothing by itself, since a
 * decision must never rest on an incomplete view.
 *
 * The first read ends when every subject has arrived. The server's count of pending messages
 * cannot be used: a key that is overwritten while the consumer is created is skipped, and arrives after the count was 0
 * (seen with 2.9.10 and 2.15.2); and the count may stay one too high for the life of a consumer (2.9.10).
 */
export async function watchBucket(
  place: {
    readonly client: NatsConnection;
    readonly manager: JetStreamManager;
    readonly stream: string;
    /** What the subjects of all keys begin with. */
    readonly prefix: string;
    readonly filter: string;
    readonly clock: Clock;
  },
  watcher: BucketWatcher,
): Promise<BucketWatch> {
  const { client, manager, stream, prefix, clock } = place;
  const subject = prefix + place.filter;
  const info = await manager.streams.info(stream, { subjects_filter: subject });
  const inbox = createInbox();
  // Named, so that permissions for this bucket alone are enough, and it can be deleted even if the answer is lost.
  const name = `parsec_${randomUUID()}`;
  /** By key: an entry that was overwritten since it arrived is dropped. */
  let initial: Map<string, BucketEntry> | undefined = new Map();
  const missing = new Set(Object.keys(info.state.subjects ?? {}));
  let delivered = 0;
  const startedAtMs = clock.now();
  let heardAtMs = startedAtMs;
  let ended = false;

  const end = (reason: string | undefined): void => {
    if (ended) return;
    ended = true;
    cancelCheck();
    if (!client.isClosed()) {
      subscription.unsubscribe();
      // While disconnected, the client sends it after the reconnect. If it is lost, the server removes the consumer.
      manager.consumers.delete(stream, name).catch(() => {});
    }
    if (reason !== undefined) watcher.ended(reason);
  };

  const receive = (message: Msg): void => {
    heardAtMs = clock.now();
    const { headers } = message;
    if (headers !== undefined && headers.code === 100) {
      const last = headers.get("Nats-Last-Consumer");
      if (last !== "" && Number(last) !== delivered) end("entries were missed");
      return;
    }
    if (headers !== undefined && headers.code >= 400) {
      end(`the server ended the watch: ${headers.description}`);
      return;
    }
    const position = positionOf(message.reply);
    if (position === undefined || !message.subject.startsWith(prefix)) return;
    if (position.number !== delivered + 1) {
      end("entries were missed");
      return;
    }
    delivered = position.number;
    // A deletion by a user's tool, by expiry, or by this package has an operation and no value.
    const operation = headers?.get("KV-Operation") ?? "";
    const marker = headers?.get("Nats-Marker-Reason") ?? "";
    const entry: BucketEntry = {
      key: message.subject.slice(prefix.length),
      value: operation === "" && marker === "" ? message.data : undefined,
      revision: position.revision,
    };
    if (initial === undefined) {
      watcher.changed(entry);
      return;
    }
    initial.set(entry.key, entry);
    missing.delete(message.subject);
    if (missing.size === 0) finish();
  };

  const finish = (): void => {
    if (initial === undefined) return;
    const entries = [...initial.values()].sort((a, b) => a.revision - b.revision);
    initial = undefined;
    watcher.snapshot({ entries, createdAt: String(info.created) });
  };

  const subscription = client.subscribe(inbox, {
    callback: (error, message) => {
      if (ended) return;
      if (error !== null) end(error.message);
      else receive(message);
    },
  });
  const check = (): void => {
    const now = clock.now();
    if (now - heardAtMs > silenceMs) end("the server fell silent");
    else if (initial !== undefined && now - startedAtMs > firstReadMs)
      end("the first read did not end");
    else cancelCheck = clock.schedule(heartbeatMs, check);
  };
  let cancelCheck = clock.schedule(heartbeatMs, check);
  try {
    await manager.consumers.add(stream, {
      name,
      deliver_subject: inbox,
      deliver_policy: DeliverPolicy.LastPerSubject,
      ack_policy: AckPolicy.None,
      filter_subject: subject,
      idle_heartbeat: nanos(heartbeatMs),
      inactive_threshold: nanos(inactiveMs),
      max_deliver: 1,
      mem_storage: true,
      num_replicas: 1,
    });
    heardAtMs = clock.now();
    // An empty bucket delivers no message that could end the first read.
    if (missing.size === 0) finish();
    return { stop: () => end(undefined) };
  } catch (error) {
    end(undefined);
    throw error;
  }
}

/** $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>, or the longer form with a domain. */
function positionOf(reply: string | undefined): Delivered | undefined {
  const tokens = reply?.split(".") ?? [];
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK" || tokens.length < 9) return undefined;
  const at = tokens.length > 9 ? 7 : 5;
  const revision = Number(tokens[at]);
  const number = Number(tokens[at + 1]);
  return [revision, number].every(Number.isSafeInteger) ? { revision, number } : undefined;
}
