import { randomUUID } from "node:crypto";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { createSystemClock } from "@parsec/core/transport";
import { describeOnServers } from "@parsec/nats-fixtures";
import { afterEach, expect, it } from "vitest";
import { type Bucket, openBucket } from "./bucket.ts";
import type { BucketEntry, BucketSnapshot } from "./bucket-watch.ts";
import { isBucketGone, isWriteConflict } from "./nats-errors.ts";
import { resolveServers } from "./servers.ts";

const clients: NatsConnection[] = [];
afterEach(() => Promise.all(clients.splice(0).map((client) => client.close())));

const bytes = (text: string): Uint8Array => Buffer.from(text);
const shown = ({ key, value }: BucketEntry): string => `${key}=${value && Buffer.from(value)}`;

async function open(url: string, name: string = randomUUID()): Promise<Bucket> {
  const client = await connect(resolveServers(url, undefined).connect);
  clients.push(client);
  return openBucket(client, {
    name,
    description: "for a test",
    replicas: 1,
    storage: "memory",
    timeoutMs: 5000,
    clock: createSystemClock(),
  });
}

/** Everything that a watch reports, in order. */
function recorder() {
  const reports: string[] = [];
  return {
    reports,
    watcher: {
      snapshot: ({ entries }: BucketSnapshot) =>
        reports.push(`all ${entries.map(shown).join(" ")}`),
      changed: (entry: BucketEntry) => reports.push(shown(entry)),
      ended: (reason: string) => reports.push(`ended: ${reason}`),
    },
  };
}

/** Resolves at the next status of this type. */
async function once(client: NatsConnection, type: string): Promise<void> {
  for await (const status of client.status()) if (status.type === type) return;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describeOnServers((server) => {
  it("writes and deletes, by compare-and-set when a revision is given", async () => {
    const bucket = await open(server.url);
    const first = await bucket.put("k", bytes("1"), { revision: 0 });
    const second = await bucket.put("k", bytes("2"), { revision: first });
    expect(second).toBeGreaterThan(first);
    const late = await bucket.put("k", bytes("3"), { revision: first }).catch((error) => error);
    expect(isWriteConflict(late)).toBe(true);
    const lateRemoval = await bucket.remove("k", { revision: first }).catch((error) => error);
    expect(isWriteConflict(lateRemoval)).toBe(true);
    const third = await bucket.put("k", bytes("4"));
    expect(await bucket.remove("k", { revision: third })).toBeGreaterThan(third);
  });

  it("reports all entries in order of revision, then each change, and nothing after stop", async () => {
    const bucket = await open(server.url);
    for (const key of ["a", "b", "a"]) await bucket.put(`x.${key}`, bytes("1"));
    await bucket.put("y.c", bytes("1"));
    const { reports, watcher } = recorder();
    const watch = await bucket.watch("x.*", watcher);
    await until(() => reports.length === 1);
    await bucket.put("x.b", bytes("2"));
    await bucket.put("y.c", bytes("2"));
    await bucket.remove("x.a");
    await until(() => reports.length === 3);
    expect(reports).toEqual(["all x.b=1 x.a=1", "x.b=2", "x.a=undefined"]);
    watch.stop();
    const second = recorder();
    await bucket.watch("x.*", second.watcher);
    await bucket.put("x.b", bytes("3"));
    await until(() => second.reports.length === 2);
    expect(reports).toHaveLength(3);
  });

  it("leaves no consumer on the server, however the watch ends", async () => {
    const name = randomUUID();
    const bucket = await open(server.url, name);
    await bucket.put("k", bytes("1"));
    const client = clients.at(-1) as NatsConnection;
    const manager = await jetstreamManager(client);
    const consumers = async (): Promise<number> =>
      (await manager.streams.info(`KV_${name}`)).state.consumer_count;
    const watches = await Promise.all(
      Array.from({ length: 5 }, () => bucket.watch(">", recorder().watcher)),
    );
    expect(await consumers()).toBe(5);
    for (const watch of watches) watch.stop();
    await expect.poll(consumers).toBe(0);

    for (let index = 0; index < 3; index++) {
      const watch = await bucket.watch(">", recorder().watcher);
      const reconnected = once(client, "reconnect");
      await client.reconnect();
      watch.stop();
      await reconnected;
    }
    await expect.poll(consumers).toBe(0);
  });

  it("reports an empty bucket, and the new creation time of one that was created anew", async () => {
    const name = randomUUID();
    const bucket = await open(server.url, name);
    const times: string[] = [];
    const watcher = {
      ...recorder().watcher,
      snapshot: ({ createdAt }: BucketSnapshot) => times.push(createdAt),
    };
    await bucket.watch(">", watcher);
    await until(() => times.length === 1);
    const manager = await jetstreamManager(clients[0] as NatsConnection);
    await manager.streams.delete(`KV_${name}`);
    const gone = await bucket.put("k", bytes("1")).catch((error) => error);
    expect(isBucketGone(gone)).toBe(true);
    const anew = await open(server.url, name);
    await anew.watch(">", watcher);
    await until(() => times.length === 2);
    expect(times[1]).not.toBe(times[0]);
  });
});
