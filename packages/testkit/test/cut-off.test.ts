import { afterEach, describe, expect, it } from "vitest";
import { VersionedCluster } from "./versioned-cluster.ts";

/** Longer than the time between two contacts. */
const roundMs = 4000;

class Cluster extends VersionedCluster<number> {
  constructor(...ids: string[]) {
    super(ids, (version) => version);
  }

  /** Restarts a node in good order. */
  async restart(id: string): Promise<void> {
    await this.settled(this.node(id).registry.close());
    await this.clock.run(roundMs);
    this.start(id);
    await this.clock.run(roundMs);
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
  for (const cluster of opened.splice(0)) await cluster.close();
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
