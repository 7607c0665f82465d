import {
  createDataSourceClusterRegistry,
  createGroupCache,
  type GroupCache,
  type GroupOptions,
} from "@parsec/core";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpPeersOptions } from "../src/index.ts";
import { startCluster, type TestCluster, until } from "./http-cluster.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Caches {
  readonly cluster: TestCluster;
  readonly caches: readonly GroupCache[];
  readonly loads: string[];
  /** A key that the node with this number owns. */
  keyOf(node: number, prefix?: string): string;
}

async function startCaches(
  count: number,
  options: Partial<HttpPeersOptions> = {},
): Promise<Caches> {
  const cluster = await startCluster(count, options);
  const caches = cluster.nodes.map(({ peers }) => createGroupCache({ peers }));
  cleanups.push(
    () => cluster.close(),
    () => Promise.all(caches.map((cache) => cache.close())),
  );
  return {
    cluster,
    caches,
    loads: [],
    keyOf(node, prefix = "key") {
      const { peers } = cluster.nodes[node] as TestCluster["nodes"][number];
      for (let index = 0; ; index++) {
        if (peers.pick(`${prefix} ${index}`) === undefined) return `${prefix} ${index}`;
      }
    },
  };
}

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && Buffer.from(bytes).toString();

function groups(nodes: Caches, options: Partial<GroupOptions> = {}) {
  return nodes.caches.map((cache) =>
    cache.group("g", {
      load: async (key) => {
        nodes.loads.push(key);
        await new Promise((resolve) => setImmediate(resolve));
        return key.startsWith("none") ? undefined : `value of ${key}`;
      },
      ...options,
    }),
  );
}

describe("a cluster over HTTP", () => {
  it("loads each key once, on its owner, for any number of callers on all nodes", async () => {
    const nodes = await startCaches(3);
    const all = groups(nodes);
    const keys = Array.from({ length: 200 }, (_, index) => `key ${index}`);
    const answers = await Promise.all(
      all.flatMap((group) => [group.getMany(keys), group.getMany(keys)]),
    );
    for (const values of answers)
      expect(values.map(text)).toEqual(keys.map((key) => `value of ${key}`));
    expect([...nodes.loads].sort()).toEqual([...keys].sort());
    const loaded = all.map((group) => group.stats().localLoads);
    expect(Math.min(...loaded)).toBeGreaterThan(0);
  });

  it("supports any key, absent values and origin errors", async () => {
    const nodes = await startCaches(2, { secret: "a secret for this test only" });
    const [client] = groups(nodes, {
      load: (key) => {
        if (key.includes("fails")) throw new Error("no database");
        return key.includes("none") ? undefined : Buffer.from(key);
      },
    });
    for (const prefix of [
      "",
      "a b",
      "a+b",
      "100%",
      "x/y//",
      "日本",
      "\udcff\udcfe",
      "k".repeat(1000),
    ]) {
      const key = nodes.keyOf(1, prefix);
      expect(text(await client?.get(key))).toBe(Buffer.from(key).toString());
    }
    expect(await client?.get(nodes.keyOf(1, "none"))).toBeUndefined();
    await expect(client?.get(nodes.keyOf(1, "fails"))).rejects.toMatchObject({
      code: "ORIGIN_FAILED",
    });
  });

  it("drops an invalidated key on every node before invalidate resolves (I2)", async () => {
    const nodes = await startCaches(3);
    let version = 1;
    const all = groups(nodes, { load: () => `version ${version}`, hot: {} });
    const key = nodes.keyOf(1);
    for (const group of all) expect(text(await group.get(key))).toBe("version 1");
    version = 2;
    const result = await all[0]?.invalidate(key);
    expect(result?.failed).toEqual([]);
    expect([...(result?.acknowledged ?? [])].sort()).toEqual([...nodes.cluster.urls].sort());
    for (const group of all) expect(text(await group.get(key))).toBe("version 2");
  });

  it("answers while a node is down, and names it in the result of an invalidation", async () => {
    const nodes = await startCaches(3, { health: { failures: 1 } });
    const all = groups(nodes);
    const key = nodes.keyOf(2);
    await nodes.cluster.nodes[2]?.server.close();
    expect(text(await all[0]?.get(key))).toBe(`value of ${key}`);
    expect(text(await all[1]?.get(key))).toBe(`value of ${key}`);
    const result = await all[0]?.invalidate(key);
    expect(result?.failed.map((failure) => failure.peerId)).toEqual([nodes.cluster.urls[2]]);
  });

  it("passes a caller's abort to the owner's load, also from a batch of lookups (I4)", async () => {
    const nodes = await startCaches(2);
    const aborted: string[] = [];
    const release: (() => void)[] = [];
    const [client] = groups(nodes, {
      load: (key, { signal }) => {
        nodes.loads.push(key);
        signal.addEventListener("abort", () => aborted.push(key));
        return new Promise((resolve) => release.push(() => resolve("late")));
      },
    });
    const [leaving, staying] = [nodes.keyOf(1, "leaving"), nodes.keyOf(1, "staying")];
    const controller = new AbortController();
    const left = client?.get(leaving, { signal: controller.signal });
    const stayed = client?.get(staying);
    await until(() => nodes.loads.length === 2);
    controller.abort();
    await expect(left).rejects.toMatchObject({ code: "ABORTED" });
    await until(() => aborted.length > 0);
    expect(aborted).toEqual([leaving]);
    for (const done of release) done();
    expect(text(await stayed)).toBe("late");
  });

  it("still answers other lookups while a source hangs", async () => {
    const nodes = await startCaches(2, { connections: { maxPerPeer: 4, maxUnanswered: 2 } });
    const [client, owner] = groups(nodes, {
      timeoutMs: 60_000,
      load: (key) => (key.startsWith("hung") ? new Promise<never>(() => {}) : `value of ${key}`),
    });
    const controller = new AbortController();
    const hung = [];
    for (let index = 0; index < 30; index++) {
      const before = owner?.stats().serverRequests ?? 0;
      const { signal } = controller;
      hung.push(client?.get(nodes.keyOf(1, `hung ${index}`), { signal }).catch(() => "ended"));
      // One per turn of the event loop, so that they are not batched into one request.
      await until(() => (owner?.stats().serverRequests ?? 0) > before);
    }
    const key = nodes.keyOf(1);
    expect(text(await client?.get(key))).toBe(`value of ${key}`);
    controller.abort();
    expect(new Set(await Promise.all(hung))).toEqual(new Set(["ended"]));
    await until(() => owner?.stats().flights === 0);
  });

  it("follows membership changes, and completes pending lookups to a removed node", async () => {
    const nodes = await startCaches(3);
    let release = (): void => {};
    const all = groups(nodes, {
      load: (key) =>
        key.startsWith("slow")
          ? new Promise((resolve) => {
              release = () => resolve("finished");
            })
          : `value of ${key}`,
    });
    const slow = all[0]?.get(nodes.keyOf(2, "slow"));
    await until(() => (all[2]?.stats().serverRequests ?? 0) > 0);
    const gone = nodes.keyOf(2, "gone");
    const [first, second] = nodes.cluster.urls as readonly [string, string];
    for (const node of [0, 1]) nodes.caches[node]?.updatePeers([first, second]);
    expect(text(await all[0]?.get(gone))).toBe(`value of ${gone}`);
    expect(all[2]?.stats().localLoads).toBe(0);
    release();
    expect(text(await slow)).toBe("finished");
  });

  it("serves data sources with their inputs", async () => {
    const cluster = await startCluster(2);
    const fetched: string[] = [];
    const registries = cluster.nodes.map(({ peers }) => createDataSourceClusterRegistry({ peers }));
    cleanups.push(
      () => cluster.close(),
      () => Promise.all(registries.map((registry) => registry.close())),
    );
    const handles = registries.map((registry, node) =>
      registry.register(
        {
          name: "users",
          cacheKey: (input: { id: string; trace: string }) => input.id,
          fetch: async (input) => {
            fetched.push(`${node} ${input.id} ${input.trace}`);
            return { id: input.id, name: `User ${input.id}` };
          },
        },
        { ttlMs: 60_000 },
      ),
    );
    for (let id = 0; id < 20; id++) {
      const input = { id: String(id), trace: "t" };
      for (const handle of handles) {
        expect(await handle.get(input)).toEqual({ id: String(id), name: `User ${id}` });
      }
    }
    expect(fetched).toHaveLength(20);
    expect(registries[0]?.getClusterStats()).toMatchObject({
      peerCount: 2,
      selfUrl: cluster.urls[0],
    });
  });
});
