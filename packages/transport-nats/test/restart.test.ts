import { connect } from "@nats-io/transport-node";
import { describeWithPrograms } from "@parsec/nats-fixtures";
import { expect, it, vi } from "vitest";
import { createNatsPeers } from "../src/index.ts";
import { keysOf, startNodes, type TestNode } from "./nats-nodes.ts";
import { until } from "./until.ts";

const ids = ["a", "b", "c"];
vi.setConfig({ testTimeout: 30_000 });

/** Waits until the first node gets values from every other node again, and not from its own origin. */
async function untilPeersAnswer(nodes: readonly TestNode[]): Promise<void> {
  const [first, ...others] = nodes as [TestNode, ...TestNode[]];
  for (const owner of others) {
    const fresh = keysOf(first, owner.id, 2000);
    await until(async () => {
      const key = fresh.pop() as string;
      await first.get(key);
      return owner.loads.includes(key);
    });
  }
}

describeWithPrograms((startServer) => {
  it("recovers by itself when the server is restarted under load; callers get their values meanwhile", async () => {
    const server = await startServer();
    const cluster = await startNodes({ servers: server.url, ids });
    const outcomes = new Map<string, number>();
    const load = { on: true, asked: 0 };
    const callers = cluster.nodes.map(async (node, number) => {
      while (load.on) {
        const keys = Array.from({ length: 20 }, () => `k${load.asked++}`);
        const answers = await Promise.all(keys.map((key) => node.get(key)));
        for (const [index, answer] of answers.entries()) {
          const outcome = answer === `value of ${keys[index]}` ? "value" : String(answer);
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        }
        await new Promise((resolve) => setTimeout(resolve, 1 + number));
      }
    });
    for (let times = 1; times <= 3; times++) {
      await server.stop(times === 2 ? "SIGTERM" : "SIGKILL");
      await until(() => cluster.nodes.every((node) => !node.peers.stats().connected));
      const before = load.asked;
      await until(() => load.asked > before + 200);
      await server.start();
      await until(() => cluster.nodes.every((node) => node.peers.stats().reconnects === times));
      await untilPeersAnswer(cluster.nodes);
    }
    load.on = false;
    await Promise.all(callers);
    expect([...outcomes.keys()]).toEqual(["value"]);
    for (const node of cluster.nodes) {
      expect(node.peers.stats()).toMatchObject({ connected: true, members: ids });
      const told = (kind: string): number =>
        node.warnings.filter((warning) => warning.kind === kind).length;
      expect([told("disconnected"), told("reconnected")]).toEqual([3, 3]);
      // No node was dropped, so no cache has to be cleared.
      expect(told("membership")).toBe(0);
      // A node that is back before its peer finds it unreachable for a moment.
      await until(() => told("peer-down") === told("peer-up"));
    }
    await cluster.close();
    await server.dispose();
  });

  it("rejects at once while the server is down, with the reason", async () => {
    const server = await startServer();
    const cluster = await startNodes({
      servers: server.url,
      ids,
      group: { onPeerFailure: "fail", timeoutMs: 60_000 },
    });
    const [first] = cluster.nodes as [TestNode];
    const [key] = keysOf(first, "b", 1) as [string];
    await server.stop();
    await until(() => !first.peers.stats().connected);
    expect(await first.get(key)).toBe("PEER_UNREACHABLE");
    const { failed } = await first.group.invalidate(key);
    expect(failed.map(({ error }) => error.code)).toEqual(["PEER_UNREACHABLE", "PEER_UNREACHABLE"]);
    expect(failed[0]?.error.message).toContain("not connected to NATS");
    const stats = first.peers.stats();
    expect(stats).toMatchObject({ connected: false, members: ids, server: undefined });
    expect(stats.lastError).toContain("NATS");
    await server.start();
    await until(async () => (await first.get(key)) === `value of ${key}`);
    await cluster.close();
    await server.dispose();
  });

  it("is not blocked by a server that hangs, and recovers when it continues", async () => {
    const server = await startServer();
    const cluster = await startNodes({
      servers: server.url,
      ids,
      health: { silenceMs: 200, pingTimeoutMs: 200 },
      group: { timeoutMs: 60_000 },
    });
    const [first] = cluster.nodes as [TestNode];
    const [key] = keysOf(first, "b", 1) as [string];
    server.pause();
    // From its own origin, because the owner is unreachable: long before the caller's own deadline.
    expect(await first.get(key)).toBe(`value of ${key}`);
    expect(first.loads).toEqual([key]);
    server.resume();
    await untilPeersAnswer(cluster.nodes);
    await cluster.agree(ids);
    await cluster.close();
    await server.dispose();
  });

  it("waits for a server that is not up yet", async () => {
    const server = await startServer();
    await server.stop();
    const peers = createNatsPeers({ servers: server.url, cluster: "c", nodeId: "a" });
    const ready = peers.ready();
    await until(() => peers.stats().lastError?.includes("connection refused") ?? false);
    await expect(peers.ready({ signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ABORTED",
    });
    await server.start();
    await ready;
    expect(peers.stats()).toMatchObject({ ready: true, connected: true, reconnects: 0 });
    await peers.close();
    await server.dispose();
  });

  it("closes at once when the server was never up, or is down", async () => {
    const server = await startServer();
    const cluster = await startNodes({ servers: server.url, ids });
    await server.stop();
    const never = createNatsPeers({ servers: server.url, cluster: "c", nodeId: "a" });
    const refused = expect(never.ready()).rejects.toMatchObject({ code: "CLOSED" });
    await Promise.all([cluster.close(), never.close(), never.close()]);
    await refused;
    await server.dispose();
  });

  it("uses the application's connection, follows its reconnects, and leaves it open", async () => {
    const server = await startServer();
    const connection = await connect({
      servers: server.url,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
    });
    const cluster = await startNodes({ servers: server.url, ids: ["a", "b"] });
    const peers = createNatsPeers({
      connection,
      cluster: cluster.name,
      nodeId: "c",
      membership: { kv: { heartbeatMs: 100, silenceMs: 800, joinDelayMs: 20 } },
    });
    await peers.ready();
    await cluster.agree(ids);
    await server.stop();
    await until(() => !peers.stats().connected);
    await server.start();
    await until(() => peers.stats().connected && peers.stats().members.length === 3);
    await peers.close();
    await cluster.agree(["a", "b"]);
    expect(connection.isClosed()).toBe(false);
    await connection.flush();
    expect(subscriptionsOf(connection)).toBe(0);
    await connection.close();
    await cluster.close();
    await server.dispose();
  });

  it("stays disconnected when the application closes its connection, with a warning", async () => {
    const server = await startServer();
    const connection = await connect({ servers: server.url });
    const peers = createNatsPeers({
      connection,
      cluster: "c",
      nodeId: "a",
      membership: { static: ["a", "b"] },
    });
    await peers.ready();
    await connection.close();
    await until(() => !peers.stats().connected);
    expect(peers.stats().lastError).toContain("closed");
    const [peer] = peers.peers();
    const lookup = { group: "g", key: "k", input: undefined, fence: 0, timeoutMs: 60_000 };
    await expect(peer?.lookup(lookup)).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    await peers.close();
    await server.dispose();
  });
});

/** Subscriptions of the client, except the one for its own requests. */
function subscriptionsOf(connection: unknown): number {
  const { subscriptions } = (
    connection as { protocol: { subscriptions: { size(): number; getMux(): unknown } } }
  ).protocol;
  return subscriptions.size() - (subscriptions.getMux() === null ? 0 : 1);
}
