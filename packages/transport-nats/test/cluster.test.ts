import { describeOnServers } from "@parsec/nats-fixtures";
import { expect, it } from "vitest";
import { keysOf, startNodes, type TestNode } from "./nats-nodes.ts";

const ids = ["a", "b", "c"];

function loadsOf(nodes: readonly TestNode[]): string[] {
  return nodes.flatMap((node) => node.loads);
}

describeOnServers((server) => {
  it("loads each key once, for any number of callers and nodes (I1)", async () => {
    const cluster = await startNodes({ servers: server.url, ids });
    const keys = Array.from({ length: 200 }, (_, index) => `user:${index}`);
    const answers = await Promise.all(
      cluster.nodes.flatMap((node) => [...keys, ...keys].map((key) => node.get(key))),
    );
    expect(answers).toEqual(
      cluster.nodes.flatMap(() => [...keys, ...keys].map((key) => `value of ${key}`)),
    );
    expect(loadsOf(cluster.nodes).sort()).toEqual([...keys].sort());
    await cluster.close();
  });

  it("drops a key on every node before an invalidation resolves (I2)", async () => {
    const cluster = await startNodes({ servers: server.url, ids, group: { hot: {} } });
    const [first, ...others] = cluster.nodes;
    const key = keysOf(first as TestNode, "b", 1)[0] as string;
    await Promise.all(cluster.nodes.map((node) => node.get(key)));
    const result = await first?.group.invalidate(key);
    expect([...(result?.acknowledged ?? [])].sort()).toEqual(ids);
    expect(result?.failed).toEqual([]);
    for (const node of cluster.nodes) expect(node.group.peek(key)).toBeUndefined();
    await Promise.all(others.map((node) => node.get(key)));
    expect(loadsOf(cluster.nodes)).toEqual([key, key]);
    await cluster.close();
  });

  it("falls back to a local load when the owner is gone (I5), and reports an invalidation that did not reach it", async () => {
    const members = { static: [...ids, "gone"] };
    const cluster = await startNodes({
      servers: server.url,
      ids: [...ids, "gone"],
      membership: members,
    });
    const [first, second, third, gone] = cluster.nodes as [TestNode, TestNode, TestNode, TestNode];
    const key = keysOf(first, "gone", 1)[0] as string;
    await gone.cache.close();
    expect(await first.get(key)).toBe(`value of ${key}`);
    expect([first, second, third].flatMap(({ loads }) => loads)).toEqual([key]);
    const result = await first.group.invalidate(key);
    expect(result.failed.map(({ peerId, error }) => [peerId, error.code])).toEqual([
      ["gone", "PEER_UNREACHABLE"],
    ]);
    await cluster.close();
  });

  it("is separate from other clusters", async () => {
    const [one, other] = await Promise.all([
      startNodes({ servers: server.url, ids }),
      startNodes({ servers: server.url, ids }),
    ]);
    const bucket = { kv: { bucket: "parsec_shared", heartbeatMs: 100, silenceMs: 800 } };
    const [third, fourth] = await Promise.all([
      startNodes({ servers: server.url, ids: ["a", "x"], membership: bucket }),
      startNodes({ servers: server.url, ids: ["a", "y"], membership: bucket }),
    ]);
    await Promise.all([one, other, third, fourth].map((each) => each.nodes[0]?.get("user:1")));
    for (const each of [one, other, third, fourth]) expect(loadsOf(each.nodes)).toEqual(["user:1"]);
    expect(third.nodes[0]?.peers.stats().members).toEqual(["a", "x"]);
    expect(fourth.nodes[0]?.peers.stats().members).toEqual(["a", "y"]);
    await Promise.all([one, other, third, fourth].map((each) => each.close()));
  });

  it("accepts ids with any characters", async () => {
    const odd = ["node 1", "*.>", "日本 🦉", "http://10.0.0.1:8080/?a=b", "a\tb\r\nPUB x 0", "="];
    const cluster = await startNodes({ servers: server.url, ids: odd, cluster: "a cluster: *.>" });
    const keys = Array.from({ length: 60 }, (_, index) => `k${index}`);
    for (const node of cluster.nodes) await Promise.all(keys.map((key) => node.get(key)));
    expect(loadsOf(cluster.nodes).sort()).toEqual([...keys].sort());
    expect(cluster.nodes.every((node) => node.loads.length > 0)).toBe(true);
    await cluster.close();
  });

  it("reports its state in the statistics", async () => {
    const cluster = await startNodes({ servers: server.url, ids });
    const stats = cluster.nodes[0]?.peers.stats();
    expect(stats).toMatchObject({
      connected: true,
      ready: true,
      reconnects: 0,
      members: ids,
      refused: 0,
    });
    expect(stats?.server).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(stats?.serverVersion).toMatch(/^\d+\.\d+\.\d+/);
    await cluster.close();
    expect(cluster.nodes[0]?.peers.stats()).toMatchObject({ connected: false, ready: false });
  });
});
