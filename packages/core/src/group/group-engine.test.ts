import { describe, expect, it } from "vitest";
import { clusterOf, type GroupCluster } from "../../test/cluster-of-groups.ts";
import { deferred } from "../../test/deferred.ts";
import { expectBalance, text } from "../../test/one-group.ts";
import { settled } from "../../test/stepped-clock.ts";
import type { PeerAnswer } from "../peer.ts";

describe("a key that another node owns", () => {
  it("I1 is loaded once by its owner for all callers on all nodes", async () => {
    const { node, network } = clusterOf(["a", "b", "c"]);
    const [a, b, c] = [node("a"), node("b"), node("c")];
    const everyone = [a, b, c].flatMap(({ group }) =>
      Array.from({ length: 100 }, () => group.get("a:k")),
    );
    await settled();
    expect([a, b, c].map(({ loader }) => loader.calls.length)).toEqual([1, 0, 0]);
    a.loader.last.resolve("v");
    expect(new Set((await Promise.all(everyone)).map(text))).toEqual(new Set(["v"]));
    expect(network.lookups).toHaveLength(2);
    expect(a.group.stats()).toMatchObject({ gets: 102, serverRequests: 2, localLoads: 1 });
    expect(b.group.stats()).toMatchObject({ gets: 100, loads: 100, loadsDeduped: 1, peerLoads: 1 });
    for (const { group } of [a, b, c]) expectBalance(group.stats());
  });

  it("is looked up with everything that the owner needs", async () => {
    const { node, network } = clusterOf(["a", "b"], { timeoutMs: 700 });
    const value = node("b").group.get("a:k");
    await settled();
    node("a").loader.last.resolve("v");
    await value;
    expect(network.lookups).toEqual([
      {
        from: "b",
        to: "a",
        message: { group: "g", key: "a:k", input: undefined, fence: 0, timeoutMs: 700 },
      },
    ]);
  });

  it("is answered at once from the owner's memory, as a copy", async () => {
    const { node, network } = clusterOf(["a", "b"]);
    const loaded = node("a").group.get("a:k");
    node("a").loader.last.resolve("v");
    await loaded;
    const answer = network
      .host("a")
      .lookup({ group: "g", key: "a:k", input: undefined, fence: 0, timeoutMs: 1 });
    expect(answer).not.toBeInstanceOf(Promise);
    (answer as PeerAnswer).value?.fill(0);
    expect(text(await node("b").group.get("a:k"))).toBe("v");
    expect(text(node("a").group.peek("a:k"))).toBe("v");
    expect(node("a").group.stats()).toMatchObject({ serverRequests: 2, cacheHits: 3 });
  });

  it("I4 is loaded no longer than its requester waits, with TIMEOUT for that requester alone", async () => {
    const { node, network, clock } = clusterOf(["a", "b"], { timeoutMs: 5_000 });
    const { loader, group } = node("a");
    const lookup = { group: "g", key: "a:k", input: undefined, fence: 0, timeoutMs: 200 };
    const alone = Promise.resolve(network.host("a").lookup(lookup));
    const ended = alone.catch((error: unknown) => error);
    await settled();
    const { signal } = loader.last;
    await clock.advance(199);
    expect(signal.aborted).toBe(false);
    await clock.advance(1);
    expect(await ended).toMatchObject({ code: "TIMEOUT", message: expect.stringMatching(/200/) });
    expect(signal.aborted).toBe(true);

    const hasty = Promise.resolve(network.host("a").lookup(lookup));
    const hastyEnded = hasty.catch((error: unknown) => error);
    const patient = group.get("a:k");
    await clock.advance(200);
    expect(await hastyEnded).toMatchObject({ code: "TIMEOUT" });
    loader.last.resolve("v");
    expect(text(await patient)).toBe("v");
    expectBalance(group.stats());
  });

  it("returns bytes that belong to the caller", async () => {
    const { node } = clusterOf(["a", "b"], { hot: { minRatePerMinute: 0 } });
    const together = [
      node("b").group.get("a:k"),
      node("b").group.get("a:k"),
      node("a").group.get("a:k"),
    ];
    await settled();
    node("a").loader.last.resolve("v");
    (await together[0])?.fill(0);
    expect((await Promise.all(together.slice(1))).map(text)).toEqual(["v", "v"]);
    expect(text(node("b").group.peek("a:k"))).toBe("v");
  });

  it("may be empty: it is loaded by its owner on each call and cached on no node", async () => {
    const { node, network } = clusterOf(["a", "b"], { hot: { minRatePerMinute: 0 } });
    const both = [node("b").group.get(""), node("b").group.get("")];
    await settled();
    expect(node("a").loader.calls).toHaveLength(2);
    node("a").loader.calls.forEach((call, index) => {
      call.resolve(`call ${index}`);
    });
    expect((await Promise.all(both)).map(text)).toEqual(["call 0", "call 1"]);
    expect(network.lookups).toHaveLength(2);
    expect(node("b").group.stats().hot.items).toBe(0);
    expect(node("a").group.stats().main.items).toBe(0);
  });

  it("moves with the membership", async () => {
    const { node, network } = clusterOf(["a", "b"]);
    node("b").cache.updatePeers(["b"]);
    const value = node("b").group.get("a:k");
    node("b").loader.last.resolve("v");
    expect(text(await value)).toBe("v");
    expect(network.lookups).toEqual([]);
    expect(node("b").group.stats().main.items).toBe(1);
  });

  it("I1 is not refreshed by a former owner", async () => {
    const { node, clock } = clusterOf(["a", "b"], { ttlMs: 1000, staleWhileRevalidateMs: 5000 });
    const [a, b] = [node("a"), node("b")];
    b.cache.updatePeers(["b"]);
    const alone = b.group.get("a:k");
    b.loader.last.resolve("fetched by b");
    await alone;
    b.cache.updatePeers(["a", "b"]);
    await clock.advance(1000);
    const both = [a.group.get("a:k"), b.group.get("a:k")];
    await settled();
    expect([a.loader.calls.length, b.loader.calls.length]).toEqual([1, 1]);
    a.loader.last.resolve("fetched by a");
    expect((await Promise.all(both)).map(text)).toEqual(["fetched by a", "fetched by a"]);
  });

  it("I4 is cancelled when its last waiter aborts, on the owner as well", async () => {
    const { node } = clusterOf(["a", "b"]);
    const leavers = [new AbortController(), new AbortController()];
    const left = Promise.allSettled(
      leavers.map(({ signal }) => node("b").group.get("a:k", { signal })),
    );
    await settled();
    leavers[0]?.abort();
    await settled();
    expect(node("a").loader.last.signal.aborted).toBe(false);
    leavers[1]?.abort();
    for (const result of await left) expect(result).toMatchObject({ reason: { code: "ABORTED" } });
    await settled();
    expect(node("a").loader.last.signal.aborted).toBe(true);
    for (const id of ["a", "b"]) expectBalance(node(id).group.stats());
  });

  it("I4 continues for the owner's own callers when the requester has aborted", async () => {
    const { node } = clusterOf(["a", "b"]);
    const leaver = new AbortController();
    const left = node("b").group.get("a:k", { signal: leaver.signal });
    await settled();
    const own = node("a").group.get("a:k", { signal: new AbortController().signal });
    leaver.abort();
    await expect(left).rejects.toMatchObject({ code: "ABORTED" });
    node("a").loader.last.resolve("v");
    expect(text(await own)).toBe("v");
    expect(node("a").loader.calls).toHaveLength(1);
  });

  it("I8 rejects waiters with CLOSED when their node closes, and drops the late answer", async () => {
    const { node } = clusterOf(["a", "b"], { hot: { minRatePerMinute: 0 } });
    const waiting = node("b")
      .group.get("a:k")
      .catch((error: unknown) => error);
    await settled();
    await node("b").cache.close();
    expect(await waiting).toMatchObject({ code: "CLOSED" });
    node("a").loader.last.resolve("v");
    await settled();
    expect(node("b").group.stats().hot.items).toBe(0);
    expectBalance(node("b").group.stats());
  });
});

describe("the hot cache", () => {
  async function answered(cluster: GroupCluster, id: string, key: string): Promise<void> {
    const value = cluster.node(id).group.get(key);
    await settled();
    const [owner] = key.split(":", 1) as [string];
    const { calls } = cluster.node(owner).loader;
    calls.at(-1)?.resolve("v");
    await value;
  }

  it("stores a key once this node has requested it often enough within a minute", async () => {
    const cluster = clusterOf(["a", "b"], { hot: { minRatePerMinute: 4 } });
    for (let request = 1; request <= 6; request++) await answered(cluster, "b", "a:k");
    expect(cluster.network.lookups).toHaveLength(4);
    expect(cluster.node("b").group.stats()).toMatchObject({
      peerLoads: 4,
      hot: { items: 1, hits: 2 },
    });
    expect(cluster.node("b").group.stats().main.items).toBe(0);
    expect(text(cluster.node("b").group.peek("a:k"))).toBe("v");
  });

  it("does not store a key that is requested seldom", async () => {
    const cluster = clusterOf(["a", "b"], { hot: { minRatePerMinute: 4 } });
    for (let request = 1; request <= 8; request++) {
      await answered(cluster, "b", "a:k");
      await cluster.clock.advance(25_000);
    }
    expect(cluster.network.lookups).toHaveLength(8);
    expect(cluster.node("b").group.stats().hot.items).toBe(0);
  });

  it("stores a key at the first request when its owner reports a high rate", async () => {
    const cluster = clusterOf(["a", "b", "c"], { hot: { minRatePerMinute: 4 } });
    for (let request = 1; request <= 3; request++) await answered(cluster, "c", "a:k");
    await answered(cluster, "b", "a:k");
    expect(cluster.node("b").group.stats().hot.items).toBe(1);
  });

  it("stores every key at a rate of 0, and none with hot: false", async () => {
    const all = clusterOf(["a", "b"], { hot: { minRatePerMinute: 0 } });
    await answered(all, "b", "a:k");
    expect(all.node("b").group.stats().hot.items).toBe(1);
    const none = clusterOf(["a", "b"], { hot: false });
    for (let request = 1; request <= 50; request++) await answered(none, "b", "a:k");
    expect(none.node("b").group.stats().hot.items).toBe(0);
    expect(none.network.lookups).toHaveLength(50);
  });

  it("I7 keeps a copy exactly as long as the owner keeps its entry", async () => {
    const cluster = clusterOf(["a", "b"], { hot: { minRatePerMinute: 0 }, ttlMs: 1000 });
    await answered(cluster, "a", "a:k");
    await cluster.clock.advance(400);
    await answered(cluster, "b", "a:k");
    await cluster.clock.advance(599);
    expect(cluster.node("b").group.peek("a:k")).toBeDefined();
    await cluster.clock.advance(1);
    expect(cluster.node("b").group.peek("a:k")).toBeUndefined();
    expect(cluster.node("a").group.peek("a:k")).toBeUndefined();
  });

  it("I7 subtracts the travel time of the answer", async () => {
    const { node, network, clock } = clusterOf(["a", "b"], {
      hot: { minRatePerMinute: 0 },
      ttlMs: 1000,
    });
    const loaded = node("a").group.get("a:k");
    node("a").loader.last.resolve("v");
    await loaded;
    const arrival = deferred<void>();
    network.onTheWayBack = () => arrival.promise;
    const value = node("b").group.get("a:k");
    await clock.advance(300);
    arrival.resolve();
    expect(text(await value)).toBe("v");
    await clock.advance(699);
    expect(node("b").group.peek("a:k")).toBeDefined();
    await clock.advance(1);
    expect(node("b").group.peek("a:k")).toBeUndefined();
  });

  it("I7 does not store an answer that travelled longer than its time to live", async () => {
    const { node, network, clock } = clusterOf(["a", "b"], {
      hot: { minRatePerMinute: 0 },
      ttlMs: 1000,
    });
    const arrival = deferred<void>();
    network.onTheWayBack = () => arrival.promise;
    const value = node("b").group.get("a:k");
    await settled();
    node("a").loader.last.resolve("v");
    await clock.advance(1000);
    arrival.resolve();
    expect(text(await value)).toBe("v");
    expect(node("b").group.stats().hot.items).toBe(0);
  });

  it("I7 neither copies stale values of the owner nor serves stale copies", async () => {
    const policy = {
      hot: { minRatePerMinute: 0 },
      ttlMs: 1000,
      staleWhileRevalidateMs: 500,
      staleIfErrorMs: 500,
    };
    const { node, clock } = clusterOf(["a", "b"], policy);
    const loaded = node("b").group.get("a:k");
    await settled();
    node("a").loader.last.resolve("old");
    await loaded;
    await clock.advance(1000);
    expect(text(await node("b").group.get("a:k"))).toBe("old");
    expect(node("b").group.peek("a:k")).toBeUndefined();
    expect(node("a").loader.calls).toHaveLength(2);
    node("a").loader.last.resolve("new");
    await settled();
    expect(text(await node("b").group.get("a:k"))).toBe("new");
    expect(text(node("b").group.peek("a:k"))).toBe("new");
  });

  it("I7 stores a negative entry as long as the owner does", async () => {
    const { node, clock, network } = clusterOf(["a", "b"], {
      hot: { minRatePerMinute: 0 },
      negativeTtlMs: 1000,
    });
    const none = node("b").group.get("a:k");
    await settled();
    node("a").loader.last.resolve(undefined);
    expect(await none).toBeUndefined();
    await clock.advance(999);
    expect(await node("b").group.get("a:k")).toBeUndefined();
    expect(network.lookups).toHaveLength(1);
    await clock.advance(1);
    const some = node("b").group.get("a:k");
    await settled();
    node("a").loader.last.resolve("born");
    expect(text(await some)).toBe("born");
  });
});

describe("a peer's lookup", () => {
  const lookup = { group: "g", input: undefined, fence: 0, timeoutMs: 1000 };

  it("I6 is never forwarded: a node that does not own the key uses the origin", async () => {
    const { node, network } = clusterOf(["a", "b", "c"]);
    const answer = network.host("b").lookup({ ...lookup, key: "a:k" });
    node("b").loader.last.resolve("v");
    expect(text((await answer).value)).toBe("v");
    expect(network.lookups).toEqual([]);
  });

  it("I6 does not wait for a lookup that this node has in flight", async () => {
    const { node, network } = clusterOf(["a", "b"]);
    network.onTheWay = () => new Promise(() => {});
    const hanging = node("b")
      .group.get("a:k")
      .catch((error: unknown) => error);
    await settled();
    const answer = network.host("b").lookup({ ...lookup, key: "a:k" });
    expect(node("b").loader.calls).toHaveLength(1);
    node("b").loader.last.resolve("v");
    expect(text((await answer).value)).toBe("v");
    await node("b").cache.close();
    expect(await hanging).toMatchObject({ code: "CLOSED" });
  });

  it("I6 does not deadlock two nodes that consider each other the owner", async () => {
    const { node } = clusterOf(["a", "b"]);
    node("a").cache.updatePeers(["b", "a"]);
    node("b").cache.updatePeers(["a", "b"]);
    const both = [node("a").group.get("k"), node("b").group.get("k")];
    await settled();
    node("a").loader.last.resolve("from a");
    node("b").loader.last.resolve("from b");
    expect((await Promise.all(both)).map(text)).toEqual(["from b", "from a"]);
  });

  it("I9 is rejected when its key is too large", async () => {
    const { network, node } = clusterOf(["a", "b"], { maxKeyBytes: 10 });
    expect(() => network.host("a").lookup({ ...lookup, key: "x".repeat(11) })).toThrow(
      expect.objectContaining({ code: "KEY_TOO_LARGE" }),
    );
    expect(node("a").group.stats().serverRequests).toBe(0);
  });

  it("I4 may be aborted before it waits", async () => {
    const { network, node } = clusterOf(["a", "b"]);
    const answer = network
      .host("a")
      .lookup({ ...lookup, key: "a:k" }, { signal: AbortSignal.abort() });
    await expect(answer).rejects.toMatchObject({ code: "ABORTED" });
    expect(node("a").loader.last.signal.aborted).toBe(true);
  });

  it("I8 is rejected with CLOSED once the node is closed", async () => {
    const { network, node } = clusterOf(["a", "b"]);
    const host = network.host("a");
    await node("a").cache.close();
    expect(() => host.lookup({ ...lookup, key: "a:k" })).toThrow(
      expect.objectContaining({ code: "CLOSED" }),
    );
  });
});
