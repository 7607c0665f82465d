import type { DataSourceHandle } from "@parsec/core";
import { describe, expect, it } from "vitest";
import { VersionedCluster } from "./versioned-cluster.ts";

interface Versioned {
  readonly version: number;
}

class Cluster extends VersionedCluster<Versioned> {
  constructor(ids: readonly string[]) {
    super(ids, (version) => ({ version }));
  }
}

/** A cluster in which the last node holds an old copy of a key of node b, which node a has invalidated meanwhile. */
async function clusterWithOldCopy(ids: readonly string[]) {
  const cluster = new Cluster(ids);
  const key = cluster.keyOf("b");
  await cluster.fill(key);
  const away = ids.at(-1) as string;
  cluster.isolate(away);
  cluster.version = 2;
  const result = await cluster.settled(cluster.node("a").source.invalidate(key));
  expect(result.failed.map(({ peerId }) => peerId)).toEqual([away]);
  return { cluster, key, away: cluster.node(away).source };
}

describe("an invalidation that a peer missed", () => {
  it("reaches it when it is back, although the node that invalidated left meanwhile", async () => {
    const { cluster, key, away } = await clusterWithOldCopy(["a", "b", "c"]);
    await cluster.settled(cluster.node("a").registry.close());
    expect(cluster.warnings).toEqual([]);
    await cluster.clock.run(60_000);
    expect(away.peek(key)).toEqual({ version: 1 });
    cluster.network.heal();
    await cluster.clock.run(6000);
    expect(away.peek(key)).toBeUndefined();
    expect(await cluster.settled(away.get(key))).toEqual({ version: 2 });
    await cluster.close();
  });

  it("reaches it when it is back, although the node that invalidated crashed", async () => {
    const { cluster, key, away } = await clusterWithOldCopy(["a", "b", "c"]);
    cluster.network.crash("a");
    await cluster.clock.run(60_000);
    cluster.network.heal();
    await cluster.clock.run(6000);
    expect(away.peek(key)).toBeUndefined();
    await cluster.close();
  });

  it("reaches it after one node after the other has left and been replaced", async () => {
    const { cluster, key, away } = await clusterWithOldCopy(["a", "b", "c", "d"]);
    for (const id of ["a", "b", "c"]) {
      await cluster.settled(cluster.node(id).registry.close());
      cluster.start(id);
      await cluster.clock.run(1000);
    }
    cluster.network.heal();
    await cluster.clock.run(6000);
    expect(away.peek(key)).toBeUndefined();
    await cluster.close();
  });

  it("is reported by the last node that leaves", async () => {
    const { cluster } = await clusterWithOldCopy(["a", "b", "c"]);
    await cluster.settled(cluster.node("a").registry.close());
    expect(cluster.warnings).toEqual([]);
    const before = cluster.clock.now();
    await cluster.settled(cluster.node("b").registry.close());
    expect(cluster.warnings).toEqual(["b: undelivered c"]);
    expect(cluster.clock.now() - before).toBeLessThan(10_000);
    await cluster.close();
  });

  it("is reported when all nodes leave together", async () => {
    const { cluster } = await clusterWithOldCopy(["a", "b", "c"]);
    const closing = ["a", "b"].map((id) => cluster.node(id).registry.close());
    await cluster.settled(Promise.all(closing));
    expect(cluster.warnings).toContain("b: undelivered c");
    await cluster.close();
  });
});

/** Every microtask is a step, and every {@link turnsPerTimer}th fires the next timer. */
const turnsPerTimer = 12;

describe("an invalidation during which a member is removed and returns", () => {
  const calls = {
    key: (source: DataSourceHandle<string, Versioned>, key: string) => source.invalidate(key),
    tag: (source: DataSourceHandle<string, Versioned>) => source.invalidateTag("versions"),
    all: (source: DataSourceHandle<string, Versioned>) => source.invalidateAll(),
  };

  /**
   * Removes node c at one step and takes it back at another, counted from the call on. Returns false where the call
   * has ended before.
   */
  async function runWith(
    call: (typeof calls)["key"],
    on: { readonly ids: readonly string[]; readonly removeAt: number; readonly returnAt: number },
  ): Promise<boolean> {
    const { ids, removeAt, returnAt } = on;
    const cluster = new Cluster(ids);
    const key = cluster.keyOf("b");
    await cluster.fill(key);
    cluster.version = 2;
    // Where there is a node d, it fails, and the caller waits for other members that retry there.
    if (ids.includes("d")) cluster.isolate("d");
    const { registry, source } = cluster.node("a");
    let isOver = false;
    const invalidating = call(source, key).finally(() => {
      isOver = true;
    });
    for (let step = 0; step <= returnAt; step++) {
      if (step === removeAt) registry.updatePeers(ids.filter((id) => id !== "c"));
      if (step === returnAt) registry.updatePeers(ids);
      await Promise.resolve();
      if (step % turnsPerTimer === turnsPerTimer - 1) cluster.clock.advanceToNextTimer();
    }
    const wasOver = isOver;
    const { acknowledged, failed } = await cluster.settled(invalidating);
    const named = [...acknowledged, ...failed.map(({ peerId }) => peerId)].sort();
    const when = `removed at step ${removeAt}, back at step ${returnAt}`;
    expect(named, when).toEqual(ids);
    const other = cluster.node("c").source;
    if (acknowledged.includes("c")) expect(other.peek(key), when).not.toEqual({ version: 1 });
    await cluster.clock.run(6000);
    expect(other.peek(key), when).not.toEqual({ version: 1 });
    cluster.network.heal();
    await cluster.close();
    return !wasOver;
  }

  for (const [kind, call] of Object.entries(calls)) {
    for (const ids of [
      ["a", "b", "c"],
      ["a", "b", "c", "d"],
    ]) {
      it(`names it for ${kind}, whenever that is, and reaches it (${ids.length} nodes)`, async () => {
        for (const removeAt of [0, turnsPerTimer + 1]) {
          let returnAt = removeAt + 1;
          while (await runWith(call, { ids, removeAt, returnAt })) returnAt++;
          expect(returnAt - removeAt).toBeGreaterThan(turnsPerTimer);
        }
      });
    }
  }
});
