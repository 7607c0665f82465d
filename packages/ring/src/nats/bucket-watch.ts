import { randomUUID } from "node:crypto";
import { AckPolicy, DeliverPolicy, type JetStreamManager } from "@nats-io/jetstream";
import { createInbox, type Msg, type NatsConnection, nanos } from "@nats-io/transport-node";
import type { Clock } from "@parsec/core";
import type { CoordinatorEntry } from "../coordinator/coordinator.ts";

export interface BucketWatchOptions {
  readonly client: NatsConnection;
  readonly manager: JetStreamManager;
  readonly stream: string;
  /** What the subjects of all keys begin with. */
  readonly prefix: string;
  /** All that had an entry, be it a mark of deletion, before the watch was begun. */
  readonly subjects: ReadonlySet<string>;
  readonly clock: Clock;
  /** The latest entry of each of `subjects`, and what else came before the last of them. */
  readonly onSnapshot: (entries: readonly CoordinatorEntry[]) => void;
  readonly onEntry: (entry: CoordinatorEntry) => void;
  /** Something was missed, or the server fell silent: the watch is of no use any more. */
  readonly onGap: (reason: string) => void;
}

export interface BucketWatch {
  stop(): void;
}

const heartbeatMs = 500;
const silenceMs = 4 * heartbeatMs;
const inactiveMs = 10_000;
/** How long the first read of a few kilobytes may take, such as when somebody purged a subject meanwhile. */
const firstReadMs = 2_000;

/** What the reply subject of a delivered message says. */
interface Delivered {
  readonly revision: number;
  readonly number: number;
}

/**
 * Follows a bucket by a consumer of its own that notices everything it missed: gaps in the numbers, a
 * server that falls silent. It mends nothing by itself, since a decision must never rest on half a view.
 *
 * The first read ends when every subject has come. What the server says is pending tells nothing: a key that
 * is overwritten while the consumer is made is skipped, and comes after the count was 0 (seen with 2.9.10
 * and 2.15.2); and the count may stay one too high for the life of a consumer (2.9.10).
 */
export async function watchBucket(options: BucketWatchOptions): Promise<BucketWatch> {
  const { client, manager, stream, prefix, clock, onSnapshot, onEntry, onGap } = options;
  const inbox = createInbox();
  /** By key: what has been overwritten since it came is of no interest. */
  let initial: Map<string, CoordinatorEntry> | undefined = new Map();
  const missing = new Set(options.subjects);
  let delivered = 0;
  const startedAtMs = clock.now();
  let heardAtMs = startedAtMs;
  let ended = false;

  const end = (reason: string | undefined): void => {
    if (ended) return;
    ended = true;
    cancelCheck();
    if (!client.isClosed()) subscription.unsubscribe();
    if (reason !== undefined) onGap(reason);
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
      end(`the watch was ended: ${headers.description}`);
      return;
    }
    const place = placeOf(message.reply);
    if (place === undefined || !message.subject.startsWith(prefix)) return;
    if (place.number !== delivered + 1) {
      end("entries were missed");
      return;
    }
    delivered = place.number;
    // Deletion by a user's tool, by expiry, or by us: whatever has an operation is no value.
    const operation = headers?.get("KV-Operation") ?? "";
    const marker = headers?.get("Nats-Marker-Reason") ?? "";
    const entry: CoordinatorEntry = {
      key: message.subject.slice(prefix.length),
      value: operation === "" && marker === "" ? message.data : undefined,
      revision: place.revision,
    };
    if (initial === undefined) {
      onEntry(entry);
      return;
    }
    initial.set(entry.key, entry);
    missing.delete(message.subject);
    if (missing.size === 0) finish();
  };

  const finish = (): void => {
    const entries = initial;
    initial = undefined;
    if (entries !== undefined) onSnapshot([...entries.values()]);
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
    const info = await manager.consumers.add(stream, {
      // Named, so that permissions for this bucket alone are enough.
      name: `ring_${randomUUID()}`,
      deliver_subject: inbox,
      deliver_policy: DeliverPolicy.LastPerSubject,
      ack_policy: AckPolicy.None,
      filter_subject: `${prefix}>`,
      idle_heartbeat: nanos(heartbeatMs),
      inactive_threshold: nanos(inactiveMs),
      max_deliver: 1,
      mem_storage: true,
      num_replicas: 1,
    });
    heardAtMs = clock.now();
    // Nothing was there, so no message will say that it was the last one.
    if (missing.size === 0) finish();
    return {
      stop() {
        end(undefined);
        manager.consumers.delete(stream, info.name).catch(() => {});
      },
    };
  } catch (error) {
    end(undefined);
    throw error;
  }
}

/** $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>, or the longer form with a domain. */
function placeOf(reply: string | undefined): Delivered | undefined {
  const tokens = reply?.split(".") ?? [];
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK" || tokens.length < 9) return undefined;
  const at = tokens.length > 9 ? 7 : 5;
  const revision = Number(tokens[at]);
  const number = Number(tokens[at + 1]);
  return [revision, number].every(Number.isSafeInteger) ? { revision, number } : undefined;
}
