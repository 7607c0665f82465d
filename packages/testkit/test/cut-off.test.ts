import { createDataSourceClusterRegistry, type DataSourceHandle } from "@parsec/core";
import { createPlacement } from "@parsec/core/transport";
import { createManualClock, createMemoryNetwork } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";

/** Longer than the time between two contacts. */
const roundMs = 4000;

/** Nodes on a virtual clock, whose messages get lost where the test cuts a direction. */
class Cluster {
  readonly clock = createManualClock();
  readonly lost = new Set<string>();
  readonly network = createMemoryNetwork({
    clock: this.clock,
    fate: ({ from, to }) => ({ delayMs: 2, lost: this.lost.has(`${from}>${to}`) }),
  });
  readonly nodes = new Map<string, ReturnType<Cluster["start"]>>();
  /** All that were started, also those that crashed. */
  readonly registries: { close(): Promise<void> }[] = [];
  readonly warnings: string[] = [];
  readonly ids: readonly string[];
  version = 1;

  constructor(...ids: string[]) {
    this.ids = ids;
    for (const id of ids) this.start(id);
  }

  start(selfId: string) {
    const peers = this.network.createPeers({ selfId, ids: this.ids });
    peers.warn = ({ kind, peerId }) => this.warnings.push(`${selfId}: ${kind} ${peerId}`);
    const registry = createDataSourceClusterRegistry({ peers, clock: this.clock });
    const source: DataSourceHandle<string, number> = registry.register(
      { name: "versions", cacheKey: (key: string) => key, fetch: async () => this.version },
      { hot: { minRatePerMinute: 0 } },
    );
    const node = { registry, source };
    this.registries.push(registry);
    this.nodes.set(selfId, node);
    return node;
  }

  node(id: string) {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  keyOf(id: string): string {
    const placement = createPlacement("slots", this.ids);
    for (let index = 0; ; index++) {
      if (placement.ownerOf(`key ${index}`) === id) return `key ${index}`;
    }
  }

  async settled<T>(promise: Promise<T>): Promise<T> {
    let pending = true;
    const ended = promise.finally(() => {
      pending = false;
    });
    ended.catch(() => {});
    while (pending) await this.clock.run(10);
    return await ended;
  }

  /** Restarts a node in good order. */
  async restart(id: string): Promise<void> {
    await this.settled(this.node(id).registry.close());
    await this.clock.run(roundMs);
    this.start(id);
    await this.clock.run(roundMs);
  }

  crash(...ids: string[]): void {
    for (const id of ids) this.network.crash(id);
  }

  isolate(id: string): void {
    for (const other of this.ids) if (other !== id) this.network.cut(id, other);
  }
}

const opened: Cluster[] = [];

async function clusterOf(...ids: string[]): Promise<Cluster> {
  const cluster = new Cluster(...ids);
  opened.push(cluster);
  await cluster.clock.run(roundMs);
  return cluster;
}

afterEach(async () => {
  for (const cluster of opened.splice(0)) {
    const closing = cluster.registries.map((registry) => registry.close());
    await cluster.settled(Promise.all(closing));
    expect(cluster.clock.pendingCount).toBe(0);
  }
});

describe("a node that was cut off", () => {
  it("serves no old value after the only other node invalidated, crashed and restarted", async () => {
    const cluster = await clusterOf("r", "s");
    const key = cluster.keyOf("r");
    const { source } = cluster.node("r");
    await cluster.settled(source.get(key));
    cluster.isolate("r");
    cluster.version = 2;
    await cluster.settled(cluster.node("s").source.invalidate(key));
    cluster.crash("s");
    cluster.start("s");
    cluster.network.heal();
    await cluster.clock.run(roundMs);
    expect(cluster.warnings).toEqual(["r: rejoined s"]);
    expect(source.peek(key)).toBeUndefined();
    expect(await cluster.settled(cluster.node("s").source.get(key))).toBe(2);
  });

  it("serves no old value after the inviter of an invalidation and both heirs crashed", async () => {
    const cluster = await clusterOf("r", "s", "t", "u");
    const key = cluster.keyOf("r");
    const { source } = cluster.node("r");
    await cluster.settled(source.get(key));
    cluster.isolate("r");
    await cluster.clock.run(roundMs);
    cluster.version = 2;
    await cluster.settled(cluster.node("s").source.invalidate(key));
    cluster.crash("s", "t", "u");
    for (const id of ["s", "t", "u"]) cluster.start(id);
    cluster.network.heal();
    await cluster.clock.run(roundMs);
    expect(source.peek(key)).toBeUndefined();
    expect(await cluster.settled(source.get(key))).toBe(2);
  });

  it("serves no old value after it was unreachable in one direction", async () => {
    const cluster = await clusterOf("r", "s", "t");
    const key = cluster.keyOf("r");
    const { source } = cluster.node("r");
    await cluster.settled(source.get(key));
    // Only the answers of r arrive, not what the others send to it on their own.
    for (const other of ["s", "t"]) cluster.lost.add(`${other}>r`);
    cluster.version = 2;
    await cluster.settled(cluster.node("s").source.invalidate(key));
    await cluster.clock.run(roundMs);
    cluster.crash("s", "t");
    for (const id of ["s", "t"]) cluster.start(id);
    cluster.lost.clear();
    await cluster.clock.run(roundMs);
    expect(source.peek(key)).toBeUndefined();
  });

  it("serves no old value after it was forgotten as a former member", async () => {
    const cluster = await clusterOf("r", "s");
    const key = cluster.keyOf("r");
    const { source } = cluster.node("r");
    await cluster.settled(source.get(key));
    cluster.isolate("r");
    const other = cluster.node("s");
    other.registry.updatePeers(["s"]);
    cluster.version = 2;
    await cluster.settled(other.source.invalidate(key));
    await cluster.clock.run(3_700_000);
    cluster.network.heal();
    await cluster.clock.run(roundMs);
    other.registry.updatePeers(["r", "s"]);
    await cluster.clock.run(roundMs);
    expect(cluster.warnings).toEqual(["r: rejoined s"]);
    expect(source.peek(key)).toBeUndefined();
  });

  it("keeps its cache when the others are the same as before, and deliver what they owe", async () => {
    const cluster = await clusterOf("r", "s", "t");
    const [kept, dropped] = [cluster.keyOf("r"), cluster.keyOf("s")];
    const { source } = cluster.node("r");
    for (const key of [kept, dropped]) await cluster.settled(source.get(key));
    cluster.isolate("r");
    await cluster.clock.run(roundMs);
    await cluster.settled(cluster.node("s").source.invalidate(dropped));
    cluster.network.heal();
    await cluster.clock.run(6000);
    expect(source.peek(kept)).toBe(1);
    expect(source.peek(dropped)).toBeUndefined();
    expect(cluster.warnings).toEqual([]);
  });
});

describe("nobody's cache is dropped", () => {
  it("by a crash of one node among three", async () => {
    const cluster = await clusterOf("r", "s", "t");
    cluster.crash("s");
    await cluster.clock.run(roundMs);
    cluster.start("s");
    await cluster.clock.run(roundMs);
    expect(cluster.warnings).toEqual([]);
  });

  it.each([2, 3])("by a hundred restarts in good order among %i nodes", async (size) => {
    const ids = ["r", "s", "t"].slice(0, size);
    const cluster = await clusterOf(...ids);
    const key = cluster.keyOf("r");
    await cluster.settled(cluster.node("r").source.get(key));
    for (let round = 0; round < 100; round++)
      await cluster.restart(ids[1 + (round % (size - 1))] ?? "s");
    expect(cluster.warnings).toEqual([]);
    expect(cluster.node("r").source.peek(key)).toBe(1);
  });
});
