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
  readonly clock: Clock;
  /** Everything that was there when the watch began. */
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
/**
 * How long the first read of a few kilobytes may take. Servers have been seen to count what is pending one
 * too high for the whole life of a consumer (2.9.10, made while an entry was being written); another one
 * is counted anew.
 */
const firstReadMs = 2_000;

/** What the reply subject of a delivered message says. */
interface Delivered {
  readonly revision: number;
  readonly number: number;
  readonly pending: number;
}

/**
 * Follows a bucket by a consumer of its own that notices everything it missed: gaps in the numbers, a
 * server that falls silent. It mends nothing by itself, since a decision must never rest on half a view.
 */
export async function watchBucket(options: BucketWatchOptions): Promise<BucketWatch> {
  const { client, manager, stream, prefix, clock, onSnapshot, onEntry, onGap } = options;
  const inbox = createInbox();
  let initial: CoordinatorEntry[] | undefined = [];
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
    initial.push(entry);
    if (place.pending === 0) finish();
  };

  const finish = (): void => {
    const entries = initial;
    initial = undefined;
    if (entries !== undefined) onSnapshot(entries);
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
    // Nothing there, so no message will say that it was the last one.
    if (info.num_pending === 0 && info.delivered.consumer_seq === 0 && delivered === 0) finish();
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
  const pending = Number(tokens[at + 3]);
  if (![revision, number, pending].every(Number.isSafeInteger)) return undefined;
  return { revision, number, pending };
}
