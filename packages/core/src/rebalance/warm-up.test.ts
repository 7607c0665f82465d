import { describe, expect, it } from "vitest";
import { clusterOf, type GroupCluster } from "../../test/cluster-of-groups.ts";
import { deferred } from "../../test/deferred.ts";
import { expectBalance, text } from "../../test/one-group.ts";
import { settled } from "../../test/stepped-clock.ts";
import { ParsecError } from "../errors.ts";
import type { PeerLookup } from "../peer.ts";
import type { GroupOptions } from "../registry/group-cache.ts";

/** The former owner of `a:…` is b, which has the values it loaded while a was down. */
async function afterAbsence(
  options: Omit<GroupOptions, "load"> = {},
  { value }: { readonly value: string | undefined } = { value: "old" },
): Promise<GroupCluster> {
  const cluster = clusterOf(["a", "b", "c"], options, { hasFallbackOwners: true });
  cluster.network.down.add("a");
  await load(cluster, { from: "b", value });
  cluster.network.down.delete("a");
  cluster.restart("a");
  cluster.network.lookups.length = 0;
  return cluster;
}

/** Gets `a:k` on a node, whose origin answers if it is used. */
async function load(
  cluster: GroupCluster,
  { from, value }: { readonly from: string; readonly value: string | undefined },
): Promise<string | undefined> {
  const { group, loader } = cluster.node(from);
  const before = loader.calls.length;
  const got = group.get("a:k");
  await settled();
  if (loader.calls.length > before) loader.last.resolve(value);
  return text(await got);
}

function looks(cluster: GroupCluster): PeerLookup[] {
  return cluster.network.lookups
    .map(({ message }) => message)
    .filter(({ memoryOnly }) => memoryOnly === true);
}

function loadsOf(cluster: GroupCluster, id: string): number {
  return cluster.node(id).loader.calls.length;
}

describe("a new node", () => {
  it("gets its keys from their former owners, for all waiters, without an origin fetch", async () => {
    const cluster = await afterAbsence();
    const { group } = cluster.node("a");
    const all = [group.get("a:k"), group.get("a:k"), cluster.node("c").group.get("a:k")];
    expect((await Promise.all(all)).map(text)).toEqual(["old", "old", "old"]);
    expect(loadsOf(cluster, "a")).toBe(0);
    expect(looks(cluster)).toHaveLength(1);
    expect(group.stats()).toMatchObject({
      warmLoads: 1,
      localLoads: 0,
      main: { items: 1 },
      hot: { items: 0 },
    });
    for (const id of ["a", "b", "c"]) expectBalance(cluster.node(id).group.stats());
  });

  it("fetches once from the origin what the former owner does not have", async () => {
    const cluster = clusterOf(["a", "b"], {}, { hasFallbackOwners: true });
    expect(await load(cluster, { from: "a", value: "new" })).toBe("new");
    expect(looks(cluster)).toHaveLength(1);
    expect(loadsOf(cluster, "b")).toBe(0);
    expect(cluster.node("b").group.stats()).toMatchObject({ gets: 0, serverRequests: 0 });
    expectBalance(cluster.node("a").group.stats());
  });

  it("stops the warm-up after a minute", async () => {
    const cluster = await afterAbsence();
    await cluster.clock.advance(60_000);
    expect(await load(cluster, { from: "a", value: "new" })).toBe("new");
    expect(looks(cluster)).toHaveLength(0);
  });

  it("clears its caches and warms up again after a network partition", async () => {
    const cluster = await afterAbsence();
    await cluster.clock.advance(60_000);
    expect(await load(cluster, { from: "a", value: "in between" })).toBe("in between");
    cluster.network.host("a").rejoined?.();
    expect(await load(cluster, { from: "a", value: "new" })).toBe("old");
    expect(looks(cluster)).toHaveLength(1);
  });

  it("waits at most 100 ms for the former owner, then uses the origin", async () => {
    const cluster = await afterAbsence();
    const lost = deferred<void>();
    cluster.network.onTheWay = () => lost.promise;
    const { group, loader } = cluster.node("a");
    const got = group.get("a:k");
    await settled();
    expect(looks(cluster)[0]?.timeoutMs).toBe(100);
    expect(loader.calls).toHaveLength(0);
    lost.reject(new ParsecError("TIMEOUT", "100 ms are over"));
    await settled();
    loader.last.resolve("new");
    expect(text(await got)).toBe("new");
  });

  it("uses the origin when the former owner is unreachable", async () => {
    const cluster = await afterAbsence();
    cluster.network.down.add("b");
    expect(await load(cluster, { from: "a", value: "new" })).toBe("new");
  });

  it("caches a negative entry for its remaining time", async () => {
    const cluster = await afterAbsence({ negativeTtlMs: 1000 }, { value: undefined });
    expect(await load(cluster, { from: "a", value: "new" })).toBeUndefined();
    expect(loadsOf(cluster, "a")).toBe(0);
    await cluster.clock.advance(1000);
    expect(await load(cluster, { from: "a", value: "new" })).toBe("new");
  });

  it("I7 caches a value no longer than the former owner would", async () => {
    const cluster = await afterAbsence({ ttlMs: 1000 });
    await cluster.clock.advance(400);
    let answer = (): void => {};
    cluster.network.onTheWayBack = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const got = cluster.node("a").group.get("a:k");
    await cluster.clock.advance(50);
    answer();
    expect(text(await got)).toBe("old");
    await cluster.clock.advance(549);
    expect(text(cluster.node("a").group.peek("a:k"))).toBe("old");
    await cluster.clock.advance(1);
    expect(cluster.node("a").group.peek("a:k")).toBeUndefined();
    cluster.network.onTheWayBack = () => {};
    expect(await load(cluster, { from: "a", value: "new" })).toBe("new");
  });

  it("I2 rejects a value older than an invalidation it has applied", async () => {
    const cluster = await afterAbsence();
    const message = { group: "g", target: { kind: "keys", keys: ["a:k"] }, fence: 7 } as const;
    cluster.network.host("a").invalidate(message);
    expect(await load(cluster, { from: "a", value: "new" })).toBe("new");
    // The lookup has overtaken the invalidation, and changed nothing.
    expect(text(cluster.node("b").group.peek("a:k"))).toBe("old");
    cluster.network.host("b").invalidate(message);
    expect(await load(cluster, { from: "b", value: "newer" })).toBe("new");
    expect(loadsOf(cluster, "a")).toBe(1);
  });

  it("I2 does not cache a value that an invalidation overtook", async () => {
    for (const target of [{ kind: "keys", keys: ["a:k"] }, { kind: "all" }] as const) {
      const cluster = await afterAbsence();
      let answer = (): void => {};
      cluster.network.onTheWayBack = () =>
        new Promise((resolve) => {
          answer = resolve;
        });
      const { group, loader } = cluster.node("a");
      const got = group.get("a:k");
      await settled();
      cluster.network.host("a").invalidate({ group: "g", target, fence: 7 });
      answer();
      await settled();
      loader.last.resolve("new");
      expect(text(await got)).toBe("new");
      expect(group.peek("a:k")).toBeUndefined();
      expectBalance(group.stats());
    }
  });

  it("I2 rejects a value whose tag is being invalidated, and accepts others", async () => {
    for (const [tag, value] of [
      ["red", "new"],
      ["blue", "old"],
    ] as const) {
      const cluster = await afterAbsence({ timeoutMs: 1000, tags: () => ["red"] });
      cluster.network.host("a").invalidate({ group: "g", target: { kind: "tag", tag }, fence: 7 });
      await cluster.clock.advance(1999);
      expect(await load(cluster, { from: "a", value: "new" })).toBe(value);
    }
  });

  it("adopts the combined fence of the former owner, so that its value is not dropped as old", async () => {
    const cluster = clusterOf(["a", "b", "c"], {}, { hasFallbackOwners: true });
    await cluster.node("c").group.invalidate("a:k");
    cluster.network.down.add("a");
    await load(cluster, { from: "b", value: "old" });
    cluster.network.down.delete("a");
    cluster.restart("a");
    expect(await load(cluster, { from: "a", value: "new" })).toBe("old");
    // The lookup of c carries the fence.
    expect(await load(cluster, { from: "c", value: "new" })).toBe("old");
    expect(loadsOf(cluster, "a")).toBe(0);
  });

  it("I8 uses the origin for a value beyond its limits or without valid tags", async () => {
    let broken = false;
    const tags = (): string[] => {
      if (broken) throw new Error("no tags");
      return [];
    };
    const cluster = await afterAbsence({ tags });
    broken = true;
    const { group, loader } = cluster.node("a");
    const got = group.get("a:k");
    await settled();
    broken = false;
    loader.last.resolve("new");
    expect(text(await got)).toBe("new");
    expectBalance(group.stats());
  });

  it("I4 stops before the origin fetch when no waiters are left", async () => {
    const cluster = await afterAbsence();
    let answer = (): void => {};
    cluster.network.onTheWayBack = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const leaver = new AbortController();
    const { group, loader } = cluster.node("a");
    const got = group.get("a:k", { signal: leaver.signal });
    await settled();
    leaver.abort();
    await expect(got).rejects.toMatchObject({ code: "ABORTED" });
    answer();
    await settled();
    expect(loader.calls).toHaveLength(0);
    expect(group.stats()).toMatchObject({ localLoadErrs: 0, loadsDeduped: 0 });
    expectBalance(group.stats());
    expect(cluster.clock.pendingCount).toBe(0);
  });
});

describe("a memoryOnly lookup", () => {
  it("is answered at once, without a load or a count", async () => {
    const { network, node } = clusterOf(["a", "b"], {}, { hasFallbackOwners: true });
    const lookup = { group: "g", input: undefined, fence: 0, timeoutMs: 1000, memoryOnly: true };
    for (const key of ["a:k", "b:k", ""]) {
      expect(network.host("a").lookup({ ...lookup, key })).toMatchObject({ missing: true });
    }
    expect(node("a").loader.calls).toHaveLength(0);
    expect(network.lookups).toHaveLength(0);
    expect(node("a").group.stats()).toMatchObject({ gets: 0, serverRequests: 0, flights: 0 });
  });

  it("probes the owner that sends it", async () => {
    const { network } = clusterOf(["a", "b", "c"], {}, { hasFallbackOwners: true });
    const lookup = { group: "g", input: undefined, fence: 0, timeoutMs: 1000, memoryOnly: true };
    void network.host("b").lookup({ ...lookup, key: "a:k" });
    void network.host("b").lookup({ ...lookup, key: "b:k" });
    void network.host("b").lookup({ ...lookup, key: "a:k", memoryOnly: false });
    expect(network.probed).toEqual([{ from: "b", to: "a" }]);
  });

  it("fails for an unknown group, a key that is too large, and a closed cache", async () => {
    const { network, node } = clusterOf(["a", "b"], { maxKeyBytes: 3 });
    const lookup = { key: "k", input: undefined, fence: 0, timeoutMs: 1000, memoryOnly: true };
    const host = network.host("a");
    expect(() => host.lookup({ ...lookup, group: "h" })).toThrow(
      expect.objectContaining({ code: "NO_SUCH_GROUP" }),
    );
    expect(() => host.lookup({ ...lookup, group: "g", key: "long" })).toThrow(
      expect.objectContaining({ code: "KEY_TOO_LARGE" }),
    );
    await node("a").cache.close();
    expect(() => host.lookup({ ...lookup, group: "g" })).toThrow(
      expect.objectContaining({ code: "CLOSED" }),
    );
  });
});
