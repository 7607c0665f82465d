import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { describeOnServers, describeWithPrograms, startTcpProxy } from "@parsec/nats-fixtures";
import { expect, it, vi } from "vitest";
import { createNatsPeers } from "../src/index.ts";
import { keysOf, quickMembership, startNodes, type TestNode } from "./nats-nodes.ts";
import { until } from "./until.ts";

const ids = ["a", "b", "c"];
vi.setConfig({ testTimeout: 30_000 });

async function withClient<Result>(
  url: string,
  use: (client: NatsConnection) => Promise<Result>,
): Promise<Result> {
  const { username, password, host } = new URL(url);
  const client = await connect({
    servers: host,
    ...(username === "" ? {} : { user: username, pass: password }),
  });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

describeOnServers((server) => {
  it("adds nodes that join, and drops those that leave at once, before their silence is detected", async () => {
    const slow = { kv: { heartbeatMs: 60_000, joinDelayMs: 20 } };
    const cluster = await startNodes({ servers: server.url, ids: ["a", "b"], membership: slow });
    const joined = await cluster.join("c");
    await cluster.agree(ids);
    await joined.cache.close();
    await cluster.agree(["a", "b"], cluster.nodes.slice(0, 2));
    await cluster.close();
  });

  it("damps a flapping node: only nodes that stay become members", async () => {
    const membership = { kv: { ...quickMembership.kv, joinDelayMs: 60_000 } };
    const cluster = await startNodes({ servers: server.url, ids: ["a"], membership });
    const [first] = cluster.nodes as [TestNode];
    const changes: number[] = [];
    for (let times = 0; times < 3; times++) {
      const visitor = await cluster.join("visitor");
      await until(() => visitor.peers.stats().members.length === 2);
      await visitor.cache.close();
      changes.push(first.peers.stats().members.length);
    }
    expect(changes).toEqual([1, 1, 1]);
    await cluster.close();
  });

  it("recreates a deleted bucket, without dropping a member", async () => {
    const cluster = await startNodes({ servers: server.url, ids });
    const changes = vi.fn();
    const before = [...cluster.nodes];
    const watching = setInterval(() => {
      for (const node of before) {
        const { members } = node.peers.stats();
        if (members.length < ids.length) changes(members);
      }
    }, 1);
    await withClient(server.url, async (client) => {
      const manager = await jetstreamManager(client);
      for (let times = 0; times < 2; times++) {
        await manager.streams.delete(`KV_parsec_${cluster.name}`);
        const beats = async (): Promise<number> => {
          const info = await manager.streams
            .info(`KV_parsec_${cluster.name}`)
            .catch(() => undefined);
          return info?.state.num_subjects ?? 0;
        };
        await until(async () => (await beats()) === ids.length);
      }
    });
    await cluster.join("d");
    await cluster.agree([...ids, "d"]);
    clearInterval(watching);
    expect(changes).not.toHaveBeenCalled();
    await cluster.close();
  });

  it("ignores records that no member can have written", async () => {
    const cluster = await startNodes({ servers: server.url, ids: ["a"] });
    await withClient(server.url, async (client) => {
      const kv = await new Kvm(client).open(`parsec_${cluster.name}`);
      const record = { v: 1, id: "x", session: 1, beat: 1, placement: "slots", at: 1 };
      await kv.put(`${cluster.name}.x`, "no JSON");
      await kv.put(`${cluster.name}.y`, JSON.stringify(record));
      await kv.put(`${cluster.name}.=!`, JSON.stringify(record)).catch(() => {});
      await kv.put("another.x", JSON.stringify(record));
      await kv.delete(`${cluster.name}.nobody`);
    });
    await cluster.join("b");
    await cluster.agree(["a", "b"]);
    const [first] = cluster.nodes as [TestNode];
    expect(first.peers.stats().refused).toBe(2);
    expect(first.warnings.map(({ kind }) => kind)).toEqual(["refused"]);
    await cluster.close();
  });

  it("warns of two processes with one name, and of members with another placement", async () => {
    const cluster = await startNodes({ servers: server.url, ids: ["a", "b"] });
    const [first] = cluster.nodes as [TestNode];
    const second = await cluster.join("a");
    await until(() => first.warnings.some(({ kind }) => kind === "duplicate-node"));
    await second.cache.close();
    await cluster.join("c", { placement: "groupcache" });
    await until(() => first.warnings.some(({ message }) => message.includes('by "groupcache"')));
    await cluster.close();
  });

  it("uses the list of updatePeers after it was called", async () => {
    const cluster = await startNodes({ servers: server.url, ids });
    const [first] = cluster.nodes as [TestNode];
    first.cache.updatePeers(["a", "b"]);
    await cluster.join("d");
    await cluster.agree([...ids, "d"], cluster.nodes.slice(1));
    expect(first.peers.stats().members).toEqual(["a", "b"]);
    await cluster.close();
  });

  it("takes restarted members back at once, under their old names", async () => {
    const cluster = await startNodes({ servers: server.url, ids });
    const [first, second] = cluster.nodes as [TestNode, TestNode];
    await second.cache.close();
    await cluster.agree(["a", "c"], [first]);
    const again = await cluster.join("b");
    await cluster.agree(ids, [first]);
    const [key] = keysOf(first, "b", 1) as [string];
    expect(await first.get(key)).toBe(`value of ${key}`);
    expect(again.loads).toEqual([key]);
    await cluster.close();
  });
});

describeWithPrograms((startServer) => {
  it("reports that it needs JetStream, and the alternative", async () => {
    const server = await startServer({ jetStream: false });
    const peers = createNatsPeers({ servers: server.url, cluster: "c", nodeId: "a" });
    await expect(peers.ready()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("membership: { static: [ids] }"),
    });
    expect(peers.stats()).toMatchObject({ connected: true, ready: false, members: ["a"] });
    await peers.close();

    const listed = await startNodes({
      servers: server.url,
      ids,
      membership: { static: ids },
    });
    const [key] = keysOf(listed.nodes[0] as TestNode, "b", 1) as [string];
    expect(await listed.nodes[0]?.get(key)).toBe(`value of ${key}`);
    await listed.close();
    await server.dispose();
  });

  it("reports that its account has no JetStream, although the server has", async () => {
    const server = await startServer({
      config: `accounts {
        A { users: [{ user: a, password: a }] }
        B { jetstream: enabled, users: [{ user: b, password: b }] }
      }`,
    });
    const connectionOptions = { user: "a", pass: "a" };
    const options = { servers: server.url, connectionOptions, cluster: "c", nodeId: "a" };
    const peers = createNatsPeers(options);
    await expect(peers.ready()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("the NATS server or account has no JetStream"),
    });
    await peers.close();
    await server.dispose();
  });

  it("drops a node that is cut off from the server, and takes it back with an empty cache", async () => {
    const server = await startServer();
    const proxy = await startTcpProxy(server.port);
    const cluster = await startNodes({ servers: server.url, ids: ["a", "b"] });
    const cutOff = await cluster.join("c", {
      servers: proxy.url,
      connectionOptions: { pingInterval: 200 },
    });
    await cluster.agree(ids);
    const [own] = keysOf(cutOff, "c", 1) as [string];
    await cutOff.get(own);
    cutOff.loads.length = 0;
    proxy.partition();
    await cluster.agree(["a", "b"], cluster.nodes.slice(0, 2));
    await until(() => !cutOff.peers.stats().connected);
    expect(cutOff.peers.stats().members).toEqual(ids);
    const [key] = keysOf(cutOff, "a", 1) as [string];
    expect(await cutOff.get(key)).toBe(`value of ${key}`);
    expect(cutOff.loads).toEqual([key]);
    expect(cutOff.group.peek(own)).toBeDefined();
    proxy.heal();
    await cluster.agree(ids);
    expect(cutOff.peers.stats().connected).toBe(true);
    // It may have missed invalidations of what it holds.
    await until(() => cutOff.group.peek(own) === undefined);
    expect(cutOff.warnings.map(({ message }) => message)).toContainEqual(
      expect.stringContaining("the other nodes dropped this node"),
    );
    await cluster.close();
    await proxy.close();
    await server.dispose();
  });

  it("finds all members again after a restart in which the server lost the bucket", async () => {
    const server = await startServer();
    const cluster = await startNodes({ servers: server.url, ids });
    await server.stop();
    await server.start();
    await until(() => cluster.nodes.every((node) => node.peers.stats().connected));
    await cluster.join("d");
    await cluster.agree([...ids, "d"]);
    await cluster.close();
    await server.dispose();
  });
});
