import { connect, type NatsConnection } from "@nats-io/transport-node";
import { ParsecError } from "@parsec/core";
import { createSystemClock } from "@parsec/core/transport";
import { describeWithPrograms } from "@parsec/nats-fixtures";
import { afterEach, expect, it } from "vitest";
import { resolveServers } from "./servers.ts";
import { createUplink, type NatsUplink, type UplinkOptions } from "./uplink.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

function uplinkTo(url: string, over: Partial<UplinkOptions> = {}): NatsUplink {
  const uplink = createUplink({
    name: "test",
    servers: resolveServers(url, undefined),
    connection: undefined,
    refuse: () => undefined,
    retry: { firstMs: 10, longestMs: 20 },
    pingIntervalMs: 1000,
    clock: createSystemClock(),
    random: Math.random,
    ...over,
  });
  cleanups.push(() => uplink.close());
  return uplink;
}

/** The names of the calls that a listener gets. */
function record(uplink: NatsUplink): string[] {
  const calls: string[] = [];
  uplink.listen({
    up: () => calls.push("up"),
    down: ({ code }) => calls.push(`down ${code}`),
    failed: ({ code }) => calls.push(`failed ${code}`),
  });
  return calls;
}

describeWithPrograms((startServer) => {
  it("renews its subscriptions when the server is back, and counts that", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    const uplink = uplinkTo(server.url);
    const received: string[] = [];
    uplink.subscribe("s", (message) => {
      received.push(message.string());
      if (received.length === 1) throw new Error("a bug in the receiver");
    });
    const calls = record(uplink);
    uplink.start();
    await until(() => uplink.connected);
    uplink.client?.publish("s", "one");
    await until(() => received.length === 1);
    await server.stop();
    await until(() => !uplink.connected);
    await server.start();
    await until(() => uplink.connected);
    uplink.client?.publish("s", "two");
    await until(() => received.length === 2);
    expect(received).toEqual(["one", "two"]);
    expect(uplink.reconnects).toBe(1);
    // The receiver's exception is reported, and does not end the subscription.
    expect(calls.slice(0, 3)).toEqual(["up", "failed PEER_UNREACHABLE", "down PEER_UNREACHABLE"]);
    expect(calls.at(-1)).toBe("up");
  });

  it("connects when the server is up, and calls a late listener at once", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    await server.stop();
    const uplink = uplinkTo(server.url);
    const calls = record(uplink);
    uplink.start();
    uplink.start();
    await until(() => calls.length > 1);
    expect(new Set(calls)).toEqual(new Set(["failed PEER_UNREACHABLE"]));
    expect(uplink.lastError?.message).toContain("NATS: ");
    await server.start();
    await until(() => uplink.connected);
    expect(record(uplink)).toEqual(["up"]);
    expect(uplink.reconnects).toBe(0);
  });

  it("does not use a refused server, and retries until it is accepted", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    let refusals = 0;
    const uplink = uplinkTo(server.url, {
      refuse: () =>
        refusals++ < 2 ? new ParsecError("UNAUTHENTICATED", "not this server") : undefined,
    });
    const calls = record(uplink);
    uplink.start();
    await until(() => uplink.connected);
    expect(calls).toEqual(["failed UNAUTHENTICATED", "failed UNAUTHENTICATED", "up"]);
  });

  it("uses the application's connection, and leaves it open", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    const connection: NatsConnection = await connect(resolveServers(server.url, undefined).connect);
    cleanups.push(() => connection.close());
    const uplink = uplinkTo("127.0.0.1:1", { connection });
    uplink.start();
    await until(() => uplink.connected);
    expect(uplink.client).toBe(connection);
    await uplink.close();
    await uplink.close();
    expect(connection.isClosed()).toBe(false);
    const closed = uplinkTo("127.0.0.1:1", { connection: await closedConnection(server.url) });
    const calls = record(closed);
    closed.start();
    expect(calls).toEqual(["failed PEER_UNREACHABLE"]);
  });
});

async function closedConnection(url: string): Promise<NatsConnection> {
  const connection = await connect(resolveServers(url, undefined).connect);
  await connection.close();
  return connection;
}
