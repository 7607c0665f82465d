import { describe, expect, it } from "vitest";
import { clusterOf, type GroupCluster } from "../../test/cluster-of-groups.ts";
import { deferred } from "../../test/deferred.ts";
import { expectBalance, text } from "../../test/one-group.ts";
import { settled } from "../../test/stepped-clock.ts";
import { ParsecError } from "../errors.ts";
import type { GroupOptions } from "../registry/group-cache.ts";

const ids = ["a", "b", "c", "d"];

/** The owner of `a:…` is unreachable; its fallback owner is b. */
function withoutOwner(options: Omit<GroupOptions, "load"> = {}): GroupCluster {
  const cluster = clusterOf(ids, options, { hasFallbackOwners: true });
  cluster.network.down.add("a");
  return cluster;
}

function askedOf(cluster: GroupCluster): string[] {
  return cluster.network.lookups.map(({ from, to }) => `${from} asks ${to}`);
}

function expectAllBalanced(cluster: GroupCluster): void {
  for (const id of ids) expectBalance(cluster.node(id).group.stats());
  expect(cluster.clock.pendingCount).toBe(0);
}

describe("the fallback owner of an unreachable owner", () => {
  it("is the same for all nodes, so that the origin gets one fetch", async () => {
    const cluster = withoutOwner();
    const all = ["b", "c", "d", "c"].map((id) => cluster.node(id).group.get("a:k"));
    await settled();
    expect(cluster.node("b").loader.calls).toHaveLength(1);
    cluster.node("b").loader.last.resolve("v");
    expect((await Promise.all(all)).map(text)).toEqual(["v", "v", "v", "v"]);
    for (const id of ["c", "d"]) expect(cluster.node(id).loader.calls).toHaveLength(0);
    expect(cluster.node("c").group.stats()).toMatchObject({ peerErrors: 1, peerLoads: 1 });
    expect(cluster.node("b").group.stats()).toMatchObject({ localLoads: 1, hot: { items: 1 } });
    expectAllBalanced(cluster);
  });

  it("answers from memory afterwards, with and without a hot cache", async () => {
    for (const hot of [{}, false] as const) {
      const cluster = withoutOwner({ hot });
      const first = cluster.node("c").group.get("a:k");
      await settled();
      cluster.node("b").loader.last.resolve("v");
      await first;
      for (const id of ["b", "c", "d"]) {
        expect(text(await cluster.node(id).group.get("a:k"))).toBe("v");
      }
      expect(cluster.node("b").loader.calls).toHaveLength(1);
      expect(cluster.node("c").group.stats().hot.items).toBe(0);
    }
  });

  it("does not fetch again for its own lookup what it has fetched for peers meanwhile", async () => {
    const cluster = withoutOwner();
    const ownerLost = deferred<void>();
    cluster.network.onTheWay = ({ from }) => (from === "b" ? ownerLost.promise : undefined);
    const late = cluster.node("b").group.get("a:k");
    const first = cluster.node("c").group.get("a:k");
    await settled();
    cluster.node("b").loader.last.resolve("v");
    expect(text(await first)).toBe("v");
    ownerLost.reject(new ParsecError("PEER_UNREACHABLE", "no way"));
    expect(text(await late)).toBe("v");
    expect(cluster.node("b").loader.calls).toHaveLength(1);
    expectAllBalanced(cluster);
  });

  it("I6 gets lookups from the callers' own nodes only, and forwards none", async () => {
    const cluster = withoutOwner();
    const got = cluster.node("c").group.get("a:k");
    await settled();
    expect(askedOf(cluster)).toEqual(["c asks a", "c asks b"]);
    cluster.node("b").loader.last.resolve("v");
    await got;
    expect(askedOf(cluster)).toHaveLength(2);
  });

  it("is replaced by a local load when it is unreachable as well", async () => {
    const cluster = withoutOwner();
    cluster.network.down.add("b");
    const got = cluster.node("c").group.get("a:k");
    await settled();
    expect(askedOf(cluster)).toEqual(["c asks a", "c asks b"]);
    cluster.node("c").loader.last.resolve("v");
    expect(text(await got)).toBe("v");
    expect(cluster.node("c").group.stats()).toMatchObject({
      loadsDeduped: 3,
      peerErrors: 2,
      localLoads: 1,
    });
    expectAllBalanced(cluster);
  });

  it("I5 passes on an error of the origin", async () => {
    const cluster = withoutOwner();
    const got = cluster.node("c").group.get("a:k");
    await settled();
    cluster.node("b").loader.last.reject(new Error("no"));
    await expect(got).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
    expect(cluster.node("c").loader.calls).toHaveLength(0);
    expectAllBalanced(cluster);
  });

  it('gets no lookup with onPeerFailure "fail", nor when the owner has answered', async () => {
    const strict = withoutOwner({ onPeerFailure: "fail" });
    await expect(strict.node("c").group.get("a:k")).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
    });
    const cluster = clusterOf(ids, {}, { hasFallbackOwners: true });
    const got = cluster.node("c").group.get("a:k");
    await settled();
    cluster.node("a").loader.last.reject(new Error("no"));
    await expect(got).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
    for (const each of [strict, cluster]) {
      expect(askedOf(each).filter((passage) => passage === "c asks b")).toEqual([]);
      expectAllBalanced(each);
    }
  });

  it("I8 gets the remaining time, and the caller waits no longer", async () => {
    const cluster = withoutOwner({ timeoutMs: 1000 });
    const ownerLost = deferred<void>();
    cluster.network.onTheWay = ({ to }) => (to === "a" ? ownerLost.promise : new Promise(() => {}));
    const outcome = cluster
      .node("c")
      .group.get("a:k")
      .catch((error: unknown) => error);
    await cluster.clock.advance(400);
    ownerLost.reject(new ParsecError("PEER_UNREACHABLE", "no way"));
    await settled();
    expect(cluster.network.lookups.at(-1)?.message.timeoutMs).toBe(600);
    await cluster.clock.advance(599);
    expect(cluster.node("c").group.stats().flights).toBe(1);
    await cluster.clock.advance(1);
    expect(await outcome).toMatchObject({ code: "TIMEOUT" });
    expectAllBalanced(cluster);
  });

  it("I4 gets the abort when the last caller has aborted", async () => {
    const cluster = withoutOwner();
    const leaver = new AbortController();
    const got = cluster.node("c").group.get("a:k", { signal: leaver.signal });
    await settled();
    expect(cluster.node("b").loader.calls).toHaveLength(1);
    leaver.abort();
    await expect(got).rejects.toMatchObject({ code: "ABORTED" });
    await settled();
    expect(cluster.node("c").group.stats()).toMatchObject({ peerErrors: 2, flights: 0 });
    expectBalance(cluster.node("c").group.stats());
  });

  it("I2 applies missed fences from the lookups it gets", async () => {
    const cluster = withoutOwner();
    const first = cluster.node("b").group.get("a:k");
    await settled();
    cluster.node("b").loader.last.resolve("old");
    await first;
    cluster.network.host("c").invalidate({
      group: "g",
      target: { kind: "keys", keys: ["a:k"] },
      fence: 7,
    });
    const second = cluster.node("c").group.get("a:k");
    await settled();
    cluster.node("b").loader.last.resolve("new");
    expect(text(await second)).toBe("new");
    expect(cluster.node("b").loader.calls).toHaveLength(2);
  });

  it("I2 is not copied from while a tag is being invalidated, because its value may be a copy", async () => {
    for (const [tag, kept] of [
      ["red", 0],
      ["blue", 1],
    ] as const) {
      const cluster = withoutOwner({
        hot: { minRatePerMinute: 0 },
        timeoutMs: 1000,
        tags: () => ["red"],
      });
      cluster.network.host("c").invalidate({ group: "g", target: { kind: "tag", tag }, fence: 7 });
      const got = cluster.node("c").group.get("a:k");
      await settled();
      cluster.node("b").loader.last.resolve("v");
      expect(text(await got)).toBe("v");
      expect(cluster.node("c").group.stats().hot.items).toBe(kept);
    }
  });

  it("I9 that answers `missing` to an ordinary lookup counts as unreachable", async () => {
    const cluster = clusterOf(ids, {}, { hasFallbackOwners: true });
    const host = cluster.network.host("a");
    const { lookup } = host;
    host.lookup = (question, options) => ({
      ...(lookup.call(host, { ...question, memoryOnly: true }, options) as object as {
        value: undefined;
        ttlMs: number;
        fence: number;
        ratePerMinute: number;
      }),
      missing: true,
    });
    const got = cluster.node("c").group.get("a:k");
    await settled();
    cluster.node("b").loader.last.resolve("v");
    expect(text(await got)).toBe("v");
    expect(cluster.node("c").group.stats()).toMatchObject({ peerErrors: 1, peerLoads: 1 });
  });

  it("gets no lookup of the empty key", async () => {
    const cluster = withoutOwner();
    const got = cluster.node("c").group.get("");
    await settled();
    cluster.node("c").loader.last.resolve("v");
    expect(text(await got)).toBe("v");
    expect(askedOf(cluster)).toEqual(["c asks a"]);
  });
});

describe("maxFallbackLoads", () => {
  const keys = ["a:1", "a:2", "a:3", "a:4", "a:5"];

  it("limits concurrent loads of keys of other nodes, those as fallback owner included; the others wait", async () => {
    const cluster = withoutOwner({ maxFallbackLoads: 2 });
    const { loader } = cluster.node("b");
    const requester = cluster.node("c").group;
    const all = Promise.allSettled([
      ...keys.map((key) => requester.get(key)),
      ...keys.map((key) => cluster.node("b").group.get(key)),
    ]);
    await settled();
    expect(loader.calls).toHaveLength(2);
    loader.calls[0]?.resolve("v");
    await settled();
    expect(loader.calls).toHaveLength(3);
    loader.calls[1]?.reject(new Error("no"));
    await settled();
    expect(loader.calls).toHaveLength(4);
    for (const index of [2, 3]) loader.calls[index]?.resolve("v");
    await settled();
    loader.last.resolve("v");
    const outcomes = await all;
    expect(outcomes.map(({ status }) => status === "fulfilled")).toEqual([
      ...[true, false, true, true, true],
      ...[true, false, true, true, true],
    ]);
    expect(loader.calls.map(({ input }) => input)).toEqual(keys);
    expectAllBalanced(cluster);
  });

  it("does not limit loads of keys that this node owns", async () => {
    const cluster = withoutOwner({ maxFallbackLoads: 1 });
    const { group, loader } = cluster.node("b");
    const all = ["a:1", "a:2", "b:1", "b:2"].map((key) => group.get(key));
    await settled();
    expect(loader.calls.map(({ input }) => input).sort()).toEqual(["a:1", "b:1", "b:2"]);
    for (const call of loader.calls) call.resolve("v");
    await settled();
    loader.last.resolve("v");
    expect((await Promise.all(all)).map(text)).toEqual(["v", "v", "v", "v"]);
  });

  it("I8 releases its permit when a load times out, and rejects waiters that time out", async () => {
    const cluster = withoutOwner({ maxFallbackLoads: 1, timeoutMs: 1000 });
    const { group, loader } = cluster.node("b");
    const hangs = group.get("a:1").catch((error: unknown) => error);
    await cluster.clock.advance(500);
    const waits = group.get("a:2");
    await cluster.clock.advance(500);
    expect(await hangs).toMatchObject({ code: "TIMEOUT" });
    expect(loader.calls.map(({ input }) => input)).toEqual(["a:1", "a:2"]);
    expect(loader.calls[0]?.signal.aborted).toBe(true);
    const tooLong = group.get("a:3").catch((error: unknown) => error);
    loader.last.resolve("v");
    expect(text(await waits)).toBe("v");
    await cluster.clock.advance(1000);
    expect(await tooLong).toMatchObject({ code: "TIMEOUT" });
    expectAllBalanced(cluster);
  });

  it("I4 removes waiters that abort", async () => {
    const cluster = withoutOwner({ maxFallbackLoads: 1 });
    const { group, loader } = cluster.node("b");
    const leaver = new AbortController();
    const first = group.get("a:1");
    const second = group.get("a:2", { signal: leaver.signal });
    const third = group.get("a:3");
    await settled();
    leaver.abort();
    await expect(second).rejects.toMatchObject({ code: "ABORTED" });
    loader.last.resolve("v");
    await first;
    await settled();
    loader.last.resolve("v");
    expect(text(await third)).toBe("v");
    expect(loader.calls.map(({ input }) => input)).toEqual(["a:1", "a:3"]);
    expectAllBalanced(cluster);
  });
});
