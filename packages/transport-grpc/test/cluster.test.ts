import {
  createDataSourceClusterRegistry,
  createGroupCache,
  type GroupCache,
  type GroupOptions,
} from "@parsec/core";
import { afterEach, describe, expect, it } from "vitest";
import { createGrpcPeers } from "../src/index.ts";
import { type Nodes, type NodesOptions, startNodes } from "./grpc-nodes.ts";
import { until } from "./until.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Caches {
  readonly nodes: Nodes;
  readonly caches: readonly GroupCache[];
  readonly loads: string[];
  /** A key that the node with this number owns. */
  keyOf(node: number, prefix?: string): string;
}

async function startCaches(count: number, options: NodesOptions = {}): Promise<Caches> {
  const nodes = await startNodes({ count, ...options });
  const caches = nodes.peers.map((peers) => createGroupCache({ peers }));
  cleanups.push(() => Promise.all(caches.map((cache) => cache.close())));
  return {
    nodes,
    caches,
    loads: [],
    keyOf(node, prefix = "key") {
      for (let index = 0; ; index++) {
        const key = `${prefix} ${index}`;
        if (nodes.peers[node]?.pick(key) === undefined) return key;
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

describe("a cluster over gRPC", () => {
  it("loads each key once, on its owner, for any number of callers on all nodes (I1)", async () => {
    const nodes = await startCaches(3);
    const all = groups(nodes);
    const keys = Array.from({ length: 300 }, (_, index) => `key ${index}`);
    const answers = await Promise.all(
      all.flatMap((group) => [
        group.getMany(keys),
        Promise.all(keys.map((key) => group.get(key))),
        group.getMany(keys),
      ]),
    );
    for (const values of answers) {
      expect(values.map(text)).toEqual(keys.map((key) => `value of ${key}`));
    }
    expect([...nodes.loads].sort()).toEqual([...keys].sort());
    expect(Math.min(...all.map((group) => group.stats().localLoads))).toBeGreaterThan(0);
  });

  it("coalesces a thousand callers per node for one key into one load", async () => {
    const nodes = await startCaches(3);
    const all = groups(nodes);
    const key = nodes.keyOf(1);
    const callers = all.flatMap((group) => Array.from({ length: 1000 }, () => group.get(key)));
    expect(new Set((await Promise.all(callers)).map(text))).toEqual(new Set([`value of ${key}`]));
    expect(nodes.loads).toEqual([key]);
  });

  it("supports any key, absent values and origin errors", async () => {
    const nodes = await startCaches(2, { secret: "a secret for this test only" });
    const [client] = groups(nodes, {
      load: (key) => {
        if (key.includes("fails")) throw new Error("no database");
        return key.includes("none") ? undefined : Buffer.from(key);
      },
    });
    for (const prefix of ["", "a b", "100%", "x/y//", "日本", "\udcff\udcfe", "k".repeat(1000)]) {
      const key = nodes.keyOf(1, prefix);
      expect(text(await client?.get(key))).toBe(Buffer.from(key).toString());
    }
    expect(await client?.get(nodes.keyOf(1, "none"))).toBeUndefined();
    await expect(client?.get(nodes.keyOf(1, "fails"))).rejects.toMatchObject({
      code: "ORIGIN_FAILED",
    });
  });

  it("returns values of many sizes concurrently", async () => {
    const nodes = await startCaches(2);
    const [client] = groups(nodes, {
      maxBytes: 200 * 2 ** 20,
      maxValueBytes: 8 * 2 ** 20,
      hot: false,
      load: (key) => Buffer.alloc(Number(key.split(" ")[1]), key),
    });
    const sizes = [0, 1, 255, 256 * 1024, 2 ** 20 - 20, 2 ** 20, 2 ** 20 + 1, 5_000_000];
    const keys = sizes.map((size) => nodes.keyOf(1, `size ${size} of`));
    for (const [index, value] of ((await client?.getMany(keys)) ?? []).entries()) {
      const expected = Buffer.alloc(sizes[index] as number, keys[index] as string);
      expect(Buffer.compare(value as Uint8Array, expected)).toBe(0);
    }
  });

  it("drops an invalidated key on every node before invalidate resolves (I2)", async () => {
    const nodes = await startCaches(3);
    let version = 1;
    const all = groups(nodes, { load: () => `version ${version}`, hot: {} });
    const key = nodes.keyOf(1);
    for (const group of all) expect(text(await group.get(key))).toBe("version 1");
    for (version = 2; version < 20; version++) {
      const result = await all[version % 3]?.invalidate(key);
      expect(result?.failed).toEqual([]);
      expect([...(result?.acknowledged ?? [])].sort()).toEqual([...nodes.nodes.ids].sort());
      for (const group of all) expect(text(await group.get(key))).toBe(`version ${version}`);
    }
  });

  it("answers while a node is down, and names it in the result of an invalidation", async () => {
    const nodes = await startCaches(3, { health: { failures: 1 } });
    const all = groups(nodes);
    const key = nodes.keyOf(2);
    await nodes.nodes.peers[2]?.close();
    expect(text(await all[0]?.get(key))).toBe(`value of ${key}`);
    expect(text(await all[1]?.get(key))).toBe(`value of ${key}`);
    const result = await all[0]?.invalidate(key);
    expect(result?.failed.map((failure) => failure.peerId)).toEqual([nodes.nodes.ids[2]]);
    expect([...(result?.acknowledged ?? [])].sort()).toEqual(nodes.nodes.ids.slice(0, 2).sort());
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

  it("aborts the owner's loads when the client closes", async () => {
    const nodes = await startCaches(2, { closeTimeoutMs: 20 });
    let aborted = false;
    const [client, owner] = groups(nodes, {
      load: (key, { signal }) => {
        nodes.loads.push(key);
        signal.addEventListener("abort", () => {
          aborted = true;
        });
        return new Promise<never>(() => {});
      },
    });
    const outcome = client?.get(nodes.keyOf(1)).catch((error: { code: string }) => error.code);
    await until(() => nodes.loads.length === 1);
    await nodes.caches[0]?.close();
    expect(await outcome).toBe("CLOSED");
    await until(() => aborted && owner?.stats().flights === 0);
  });

  it("still answers other lookups while a source hangs", async () => {
    const connections = { maxOpenFrames: 4, maxUnanswered: 2 };
    const nodes = await startCaches(2, { connections });
    const [client, owner] = groups(nodes, {
      timeoutMs: 60_000,
      load: (key) => (key.startsWith("hung") ? new Promise<never>(() => {}) : `value of ${key}`),
    });
    const controllers = Array.from({ length: 30 }, () => new AbortController());
    const hung = [];
    for (const [index, { signal }] of controllers.entries()) {
      const before = owner?.stats().serverRequests ?? 0;
      hung.push(client?.get(nodes.keyOf(1, `hung ${index}`), { signal }).catch(() => "ended"));
      // One per turn of the event loop, so that they are not batched into one frame.
      await until(() => (owner?.stats().serverRequests ?? 0) > before);
    }
    const key = nodes.keyOf(1);
    expect(text(await client?.get(key))).toBe(`value of ${key}`);
    for (const controller of controllers) controller.abort();
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
    const [first, second] = nodes.nodes.ids as readonly [string, string];
    for (const node of [0, 1]) nodes.caches[node]?.updatePeers([first, second]);
    expect(text(await all[0]?.get(gone))).toBe(`value of ${gone}`);
    expect(all[2]?.stats().localLoads).toBe(0);
    release();
    expect(text(await slow)).toBe("finished");
  });

  it("serves data sources with their inputs", async () => {
    const nodes = await startNodes({ count: 2 });
    const fetched: string[] = [];
    const registries = nodes.peers.map((peers) => createDataSourceClusterRegistry({ peers }));
    cleanups.push(() => Promise.all(registries.map((registry) => registry.close())));
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
      selfUrl: nodes.ids[0],
    });
  });
});

describe("listen", () => {
  it("resolves with the address, and rejects with INVALID_ARGUMENT when it is in use", async () => {
    const nodes = await startNodes({ count: 1 });
    cleanups.push(() => nodes.close());
    const [node] = nodes.peers;
    const port = Number(nodes.ids[0]?.split(":").at(-1));
    expect(node?.address).toEqual({ host: "127.0.0.1", port });
    const other = createGrpcPeers({ selfUrl: nodes.ids[0] as string, peerUrls: nodes.ids });
    cleanups.push(() => other.close());
    await expect(other.listen()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("EADDRINUSE"),
    });
  });

  it("rejects after close", async () => {
    const nodes = await startNodes({ count: 1 });
    await nodes.close();
    expect(nodes.peers[0]?.address).toBeUndefined();
    await expect(nodes.peers[0]?.listen()).rejects.toMatchObject({ code: "CLOSED" });
  });
});
