import {
  createDataSourceClusterRegistry,
  createGroupCache,
  type Group,
  type GroupCache,
  type GroupOptions,
  type PeerPicker,
} from "@parsec/core";
import { describe, expect, it } from "vitest";
import { until } from "./contract-case.ts";

/** A cluster that `startCluster` of {@link describeCluster} has started. */
export interface RunningCluster {
  readonly nodes: readonly {
    readonly picker: PeerPicker;
    /** Makes the node unreachable for the others. */
    stop(): Promise<unknown>;
  }[];
  /** Releases everything that `startCluster` opened. The suite may have closed the pickers before. */
  close(): Promise<void>;
}

/** Options of {@link describeCluster}: the transport under test. */
export interface ClusterContractOptions {
  /** Name of the transport in the test report. */
  readonly name: string;
  /**
   * Starts `count` nodes that have each other as members. A peer must count as down after one failure, and
   * fewer than 30 requests to one peer may be open at a time.
   */
  readonly startCluster: (count: number) => Promise<RunningCluster>;
}

/** Declares the tests of group caches and data sources on a cluster; call it in a vitest file. */
export function describeCluster({ name, startCluster }: ClusterContractOptions): void {
  describe(`cluster: ${name}`, () => {
    for (const { title, count, run } of cases) {
      it(title, async () => {
        const cluster = await startCluster(count);
        const caches = new Caches(cluster);
        try {
          await run(caches);
        } finally {
          await caches.close();
          await cluster.close();
        }
      });
    }
  });
}

interface ClusterCase {
  readonly title: string;
  readonly count: number;
  run(cluster: Caches): Promise<void>;
}

/** One group cache per node, and the keys that were loaded on any of them. */
class Caches {
  readonly cluster: RunningCluster;
  readonly loads: string[] = [];
  #caches: readonly GroupCache[] = [];

  constructor(cluster: RunningCluster) {
    this.cluster = cluster;
  }

  get ids(): readonly string[] {
    return this.cluster.nodes.map(({ picker }) => picker.selfId);
  }

  get caches(): readonly GroupCache[] {
    if (this.#caches.length === 0) {
      this.#caches = this.cluster.nodes.map(({ picker }) => createGroupCache({ peers: picker }));
    }
    return this.#caches;
  }

  /** The same group on each node. By default, it loads a text. */
  groups(options: Partial<GroupOptions> = {}): readonly Group[] {
    const load = async (key: string): Promise<string> => {
      this.loads.push(key);
      await new Promise((resolve) => setImmediate(resolve));
      return `value of ${key}`;
    };
    return this.caches.map((cache) => cache.group("g", { load, ...options }));
  }

  /** A key that the node with this index owns. */
  keyOf(node: number, prefix = "key"): string {
    for (let index = 0; ; index++) {
      const key = `${prefix} ${index}`;
      if (this.cluster.nodes[node]?.picker.pick(key) === undefined) return key;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#caches.map((cache) => cache.close()));
  }
}

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && Buffer.from(bytes).toString();

const cases: readonly ClusterCase[] = [
  {
    title: "loads each key once, on its owner, for any number of callers on all nodes (I1)",
    count: 3,
    async run(cluster) {
      const all = cluster.groups();
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
      expect([...cluster.loads].sort()).toEqual([...keys].sort());
      expect(Math.min(...all.map((group) => group.stats().localLoads))).toBeGreaterThan(0);
    },
  },
  {
    title: "coalesces a thousand callers per node for one key into one load",
    count: 3,
    async run(cluster) {
      const all = cluster.groups();
      const key = cluster.keyOf(1);
      const callers = all.flatMap((group) => Array.from({ length: 1000 }, () => group.get(key)));
      expect(new Set((await Promise.all(callers)).map(text))).toEqual(new Set([`value of ${key}`]));
      expect(cluster.loads).toEqual([key]);
    },
  },
  {
    title: "supports any key, absent values and origin errors",
    count: 2,
    async run(cluster) {
      const [client] = cluster.groups({
        load: (key) => {
          if (key.includes("fails")) throw new Error("no database");
          return key.includes("none") ? undefined : Buffer.from(key);
        },
      });
      const long = "k".repeat(1000);
      for (const prefix of ["", "a b", "a+b", "100%", "x/y//", "日本", "\udcff\udcfe", long]) {
        const key = cluster.keyOf(1, prefix);
        expect(text(await client?.get(key))).toBe(Buffer.from(key).toString());
      }
      expect(await client?.get(cluster.keyOf(1, "none"))).toBeUndefined();
      await expect(client?.get(cluster.keyOf(1, "fails"))).rejects.toMatchObject({
        code: "ORIGIN_FAILED",
      });
    },
  },
  {
    title: "returns values of many sizes concurrently",
    count: 2,
    async run(cluster) {
      const [client] = cluster.groups({
        maxBytes: 200 * 2 ** 20,
        maxValueBytes: 8 * 2 ** 20,
        hot: false,
        load: (key) => Buffer.alloc(Number(key.split(" ")[1]), key),
      });
      const sizes = [0, 1, 255, 256 * 1024, 2 ** 20 - 20, 2 ** 20, 2 ** 20 + 1, 5_000_000];
      const keys = sizes.map((size) => cluster.keyOf(1, `size ${size} of`));
      for (const [index, value] of ((await client?.getMany(keys)) ?? []).entries()) {
        const expected = Buffer.alloc(sizes[index] as number, keys[index] as string);
        expect(Buffer.compare(value as Uint8Array, expected)).toBe(0);
      }
    },
  },
  {
    title: "drops an invalidated key on every node before invalidate resolves (I2)",
    count: 3,
    async run(cluster) {
      let version = 1;
      const all = cluster.groups({ load: () => `version ${version}`, hot: {} });
      const key = cluster.keyOf(1);
      for (const group of all) expect(text(await group.get(key))).toBe("version 1");
      for (version = 2; version < 20; version++) {
        const result = await all[version % 3]?.invalidate(key);
        expect(result?.failed).toEqual([]);
        expect([...(result?.acknowledged ?? [])].sort()).toEqual([...cluster.ids].sort());
        for (const group of all) expect(text(await group.get(key))).toBe(`version ${version}`);
      }
    },
  },
  {
    title: "answers while a node is down, and names it in the result of an invalidation",
    count: 3,
    async run(cluster) {
      const all = cluster.groups();
      const key = cluster.keyOf(2);
      await cluster.cluster.nodes[2]?.stop();
      expect(text(await all[0]?.get(key))).toBe(`value of ${key}`);
      expect(text(await all[1]?.get(key))).toBe(`value of ${key}`);
      const result = await all[0]?.invalidate(key);
      expect(result?.failed.map((failure) => failure.peerId)).toEqual([cluster.ids[2]]);
      expect([...(result?.acknowledged ?? [])].sort()).toEqual(cluster.ids.slice(0, 2).sort());
    },
  },
  {
    title: "passes a caller's abort to the owner's load, also from a batch of lookups (I4)",
    count: 2,
    async run(cluster) {
      const aborted: string[] = [];
      const release: (() => void)[] = [];
      const [client] = cluster.groups({
        load: (key, { signal }) => {
          cluster.loads.push(key);
          signal.addEventListener("abort", () => aborted.push(key));
          return new Promise((resolve) => release.push(() => resolve("late")));
        },
      });
      const [leaving, staying] = [cluster.keyOf(1, "leaving"), cluster.keyOf(1, "staying")];
      const controller = new AbortController();
      const left = client?.get(leaving, { signal: controller.signal });
      const stayed = client?.get(staying);
      await until(() => cluster.loads.length === 2);
      controller.abort();
      await expect(left).rejects.toMatchObject({ code: "ABORTED" });
      await until(() => aborted.length > 0);
      expect(aborted).toEqual([leaving]);
      for (const done of release) done();
      expect(text(await stayed)).toBe("late");
    },
  },
  {
    title: "still answers other lookups while a source hangs",
    count: 2,
    async run(cluster) {
      const [client, owner] = cluster.groups({
        timeoutMs: 60_000,
        load: (key) => (key.startsWith("hung") ? new Promise<never>(() => {}) : `value of ${key}`),
      });
      const controllers = Array.from({ length: 30 }, () => new AbortController());
      const hung: (Promise<unknown> | undefined)[] = [];
      for (const [index, { signal }] of controllers.entries()) {
        const before = owner?.stats().serverRequests ?? 0;
        hung.push(client?.get(cluster.keyOf(1, `hung ${index}`), { signal }).catch(() => "ended"));
        // One per turn of the event loop, so that they are not batched.
        await until(() => (owner?.stats().serverRequests ?? 0) > before);
      }
      const key = cluster.keyOf(1);
      expect(text(await client?.get(key))).toBe(`value of ${key}`);
      for (const controller of controllers) controller.abort();
      expect(new Set(await Promise.all(hung))).toEqual(new Set(["ended"]));
      await until(() => owner?.stats().flights === 0);
    },
  },
  {
    title: "follows membership changes, and completes pending lookups to a removed node",
    count: 3,
    async run(cluster) {
      let release = (): void => {};
      const all = cluster.groups({
        load: (key) =>
          key.startsWith("slow")
            ? new Promise((resolve) => {
                release = () => resolve("finished");
              })
            : `value of ${key}`,
      });
      const slow = all[0]?.get(cluster.keyOf(2, "slow"));
      await until(() => (all[2]?.stats().serverRequests ?? 0) > 0);
      const gone = cluster.keyOf(2, "gone");
      const remaining = cluster.ids.slice(0, 2);
      for (const node of [0, 1]) cluster.caches[node]?.updatePeers(remaining);
      expect(text(await all[0]?.get(gone))).toBe(`value of ${gone}`);
      expect(all[2]?.stats().localLoads).toBe(0);
      release();
      expect(text(await slow)).toBe("finished");
    },
  },
  {
    title: "serves data sources with their inputs",
    count: 2,
    async run(cluster) {
      const fetched: string[] = [];
      const registries = cluster.cluster.nodes.map(({ picker }) =>
        createDataSourceClusterRegistry({ peers: picker }),
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
        selfUrl: cluster.ids[0],
      });
      await Promise.all(registries.map((registry) => registry.close()));
    },
  },
];
