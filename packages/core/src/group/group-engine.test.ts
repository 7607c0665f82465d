import { describe, expect, it } from "vitest";
import { clusterOf, type GroupCluster } from "../../test/cluster-of-groups.ts";
import { deferred } from "../../test/deferred.ts";
import { expectBalance, text } from "../../test/one-group.ts";
import { settled } from "../../test/stepped-clock.ts";
import type { PeerAnswer } from "../peer.ts";

describe("a key that another node owns", () => {
  it("I1 is loaded once, by its owner, however many ask on however many nodes", async () => {
    const { node, network } = clusterOf(["a", "b", "c"]);
    const [a, b, c] = [node("a"), node("b"), node("c")];
    const everyone = [a, b, c].flatMap(({ group }) =>
      Array.from({ length: 100 }, () => group.get("a:k")),
    );
    await settled();
    expect([a, b, c].map(({ loader }) => loader.calls.length)).toEqual([1, 0, 0]);
    a.loader.last.resolve("v");
    expect(new Set((await Promise.all(everyone)).map(text))).toEqual(new Set(["v"]));
    expect(network.asked).toHaveLength(2);
    expect(a.group.stats()).toMatchObject({ gets: 102, serverRequests: 2, localLoads: 1 });
    expect(b.group.stats()).toMatchObject({ gets: 100, loads: 100, loadsDeduped: 1, peerLoads: 1 });
    for (const { group } of [a, b, c]) expectBalance(group.stats());
  });

  it("is asked for with all that the owner needs", async () => {
    const { node, network } = clusterOf(["a", "b"], { timeoutMs: 700 });
    const value = node("b").group.get("a:k");
    await settled();
    node("a").loader.last.resolve("v");
    await value;
    expect(network.asked).toEqual([
      {
        from: "b",
        to: "a",
        message: { group: "g", key: "a:k", input: undefined, fence: 0, timeoutMs: 700 },
      },
    ]);
  });

  it("is answered from the owner's memory at once, by a copy", async () => {
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

  it("I4 is loaded no longer than its asker waits, with TIMEOUT for that asker alone", async () => {
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

  it("gives a value that is the caller's own", async () => {
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

  it("may be the empty one: asked of its owner each time, kept by nobody", async () => {
    const { node, network } = clusterOf(["a", "b"], { hot: { minRatePerMinute: 0 } });
    const both = [node("b").group.get(""), node("b").group.get("")];
    await settled();
    expect(node("a").loader.calls).toHaveLength(2);
    node("a").loader.calls.forEach((call, index) => {
      call.resolve(`call ${index}`);
    });
    expect((await Promise.all(both)).map(text)).toEqual(["call 0", "call 1"]);
    expect(network.asked).toHaveLength(2);
    expect(node("b").group.stats().hot.items).toBe(0);
    expect(node("a").group.stats().main.items).toBe(0);
  });

  it("moves with the membership", async () => {
    const { node, network } = clusterOf(["a", "b"]);
    node("b").cache.updatePeers(["b"]);
    const value = node("b").group.get("a:k");
    node("b").loader.last.resolve("v");
    expect(text(await value)).toBe("v");
    expect(network.asked).toEqual([]);
    expect(node("b").group.stats().main.items).toBe(1);
  });

  it("I1 is not renewed by a node that was its owner once", async () => {
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

  it("I4 is given up when the last who waits has left, on the owner's side too", async () => {
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

  it("I4 goes on for the owner's own callers when the asker has left", async () => {
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

  it("I8 is CLOSED for those who wait when their node closes; the late answer is dropped", async () => {
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

  it("takes a key once this node has asked for it often enough within a minute", async () => {
    const cluster = clusterOf(["a", "b"], { hot: { minRatePerMinute: 4 } });
    for (let request = 1; request <= 6; request++) await answered(cluster, "b", "a:k");
    expect(cluster.network.asked).toHaveLength(4);
    expect(cluster.node("b").group.stats()).toMatchObject({
      peerLoads: 4,
      hot: { items: 1, hits: 2 },
    });
    expect(cluster.node("b").group.stats().main.items).toBe(0);
    expect(text(cluster.node("b").group.peek("a:k"))).toBe("v");
  });

  it("takes no key that is asked for seldom", async () => {
    const cluster = clusterOf(["a", "b"], { hot: { minRatePerMinute: 4 } });
    for (let request = 1; request <= 8; request++) {
      await answered(cluster, "b", "a:k");
      await cluster.clock.advance(25_000);
    }
    expect(cluster.network.asked).toHaveLength(8);
    expect(cluster.node("b").group.stats().hot.items).toBe(0);
  });

  it("takes a key at the first request when its owner says how popular it is", async () => {
    const cluster = clusterOf(["a", "b", "c"], { hot: { minRatePerMinute: 4 } });
    for (let request = 1; request <= 3; request++) await answered(cluster, "c", "a:k");
    await answered(cluster, "b", "a:k");
    expect(cluster.node("b").group.stats().hot.items).toBe(1);
  });

  it("takes everything at a rate of 0, and nothing when there is none", async () => {
    const all = clusterOf(["a", "b"], { hot: { minRatePerMinute: 0 } });
    await answered(all, "b", "a:k");
    expect(all.node("b").group.stats().hot.items).toBe(1);
    const none = clusterOf(["a", "b"], { hot: false });
    for (let request = 1; request <= 50; request++) await answered(none, "b", "a:k");
    expect(none.node("b").group.stats().hot.items).toBe(0);
    expect(none.network.asked).toHaveLength(50);
  });

  it("I7 keeps a copy as long as the owner keeps its entry, not a moment longer", async () => {
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

  it("I7 counts the time that the answer travels", async () => {
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

  it("I7 keeps nothing of an answer that travelled longer than its time to live", async () => {
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

  it("I7 keeps no copy of what the owner serves past its time, nor serves its own copies so", async () => {
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

  it("I7 remembers with the owner that there is none", async () => {
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
    expect(network.asked).toHaveLength(1);
    await clock.advance(1);
    const some = node("b").group.get("a:k");
    await settled();
    node("a").loader.last.resolve("born");
    expect(text(await some)).toBe("born");
  });
});

describe("what a peer asks", () => {
  const lookup = { group: "g", input: undefined, fence: 0, timeoutMs: 1000 };

  it("I6 is never forwarded: a node that does not own the key asks the origin itself", async () => {
    const { node, network } = clusterOf(["a", "b", "c"]);
    const answer = network.host("b").lookup({ ...lookup, key: "a:k" });
    node("b").loader.last.resolve("v");
    expect(text((await answer).value)).toBe("v");
    expect(network.asked).toEqual([]);
  });

  it("I6 does not wait for a question this node has under way", async () => {
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

  it("I6 two nodes that take each other for the owner do not wait for each other", async () => {
    const { node } = clusterOf(["a", "b"]);
    node("a").cache.updatePeers(["b", "a"]);
    node("b").cache.updatePeers(["a", "b"]);
    const both = [node("a").group.get("k"), node("b").group.get("k")];
    await settled();
    node("a").loader.last.resolve("from a");
    node("b").loader.last.resolve("from b");
    expect((await Promise.all(both)).map(text)).toEqual(["from b", "from a"]);
  });

  it("I9 is refused when its key is too large", async () => {
    const { network, node } = clusterOf(["a", "b"], { maxKeyBytes: 10 });
    expect(() => network.host("a").lookup({ ...lookup, key: "x".repeat(11) })).toThrow(
      expect.objectContaining({ code: "KEY_TOO_LARGE" }),
    );
    expect(node("a").group.stats().serverRequests).toBe(0);
  });

  it("I4 may be left by the asker before it waits", async () => {
    const { network, node } = clusterOf(["a", "b"]);
    const answer = network
      .host("a")
      .lookup({ ...lookup, key: "a:k" }, { signal: AbortSignal.abort() });
    await expect(answer).rejects.toMatchObject({ code: "ABORTED" });
    expect(node("a").loader.last.signal.aborted).toBe(true);
  });

  it("I8 is CLOSED once the node is", async () => {
    const { network, node } = clusterOf(["a", "b"]);
    const host = network.host("a");
    await node("a").cache.close();
    expect(() => host.lookup({ ...lookup, key: "a:k" })).toThrow(
      expect.objectContaining({ code: "CLOSED" }),
    );
  });
});
