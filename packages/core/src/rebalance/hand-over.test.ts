import { describe, expect, it } from "vitest";
import { clusterOf, type GroupCluster } from "../../test/cluster-of-groups.ts";
import { deferred } from "../../test/deferred.ts";
import { DirectNetwork } from "../../test/direct-peers.ts";
import { text } from "../../test/one-group.ts";
import { SteppedClock, settled } from "../../test/stepped-clock.ts";
import { ParsecError } from "../errors.ts";
import type { PeerHandOver } from "../peer.ts";
import { createGroupCache, type GroupOptions } from "../registry/group-cache.ts";

const ids = ["a", "b", "c"];
/** b is the first of the others, so it is the successor of a. */
const keys = ["a:1", "a:2", "a:3"];

async function loadedCluster(options: Omit<GroupOptions, "load"> = {}): Promise<GroupCluster> {
  const cluster = clusterOf(ids, options, { hasFallbackOwners: true });
  for (const key of keys) await load(cluster, { at: "a", key, value: `old ${key}` });
  return cluster;
}

async function load(
  cluster: GroupCluster,
  {
    at,
    key,
    value,
  }: { readonly at: string; readonly key: string; readonly value: string | undefined },
): Promise<string | undefined> {
  const got = cluster.node(at).group.get(key);
  await settled();
  // Every later origin fetch returns this value; earlier ones are answered.
  for (const id of ids) cluster.node(id)?.loader.calls.at(-1)?.resolve(value);
  return text(await got);
}

function givenTo(cluster: GroupCluster, id: string): PeerHandOver[] {
  return cluster.network.handOvers.filter(({ to }) => to === id).map(({ message }) => message);
}

function keysGivenTo(cluster: GroupCluster, id: string): string[] {
  return givenTo(cluster, id).flatMap(({ entries }) => entries.map(({ key }) => key));
}

/** A message that is lost, which its sender notices by a timeout. */
function lostAfter(cluster: GroupCluster, timeoutMs: number): Promise<void> {
  return new Promise((_, reject) => {
    cluster.clock.schedule(timeoutMs, () => reject(new ParsecError("TIMEOUT", "lost")));
  });
}

describe("a leaving node", () => {
  it("hands its entries to their successors, most recently used first", async () => {
    const cluster = await loadedCluster();
    await load(cluster, { at: "a", key: "b:1", value: "not its own" });
    await cluster.node("a").group.get("a:1");
    await cluster.node("a").cache.close();
    cluster.network.down.add("a");
    expect(keysGivenTo(cluster, "b")).toEqual(["a:1", "a:3", "a:2"]);
    expect(keysGivenTo(cluster, "c")).toEqual([]);
    for (const id of ["b", "c"]) {
      for (const key of keys) {
        expect(await load(cluster, { at: id, key, value: "new" })).toBe(`old ${key}`);
      }
    }
    expect(cluster.node("b").group.stats()).toMatchObject({ takenOver: 3, localLoads: 1 });
    expect(cluster.clock.pendingCount).toBe(0);
  });

  it("gets its entries back when it returns, so that a rolling restart costs no fetch", async () => {
    const cluster = await loadedCluster();
    for (const id of ids) await load(cluster, { at: id, key: `${id}:own`, value: `old ${id}:own` });
    const loaders = ids.map((id) => cluster.node(id).loader);
    for (const id of ids) {
      await cluster.node(id).cache.close();
      cluster.network.down.add(id);
      for (const other of ids.filter((each) => each !== id)) {
        for (const key of [...keys, `${id}:own`]) {
          expect(await load(cluster, { at: other, key, value: "new" })).toBe(`old ${key}`);
        }
      }
      cluster.network.down.delete(id);
      loaders.push(cluster.restart(id).loader);
      for (const each of ids) {
        expect(await load(cluster, { at: each, key: `${id}:own`, value: "new" })).toBe(
          `old ${id}:own`,
        );
      }
    }
    expect(loaders.map(({ calls }) => calls.length)).toEqual([4, 1, 1, 0, 0, 0]);
  });

  it("hands over tags, negative entries and the remaining time to live", async () => {
    const cluster = clusterOf(
      ids,
      { ttlMs: 1000, negativeTtlMs: 500, tags: (key) => [`tag of ${key}`] },
      { hasFallbackOwners: true },
    );
    await load(cluster, { at: "a", key: "a:1", value: "v" });
    await load(cluster, { at: "a", key: "a:none", value: undefined });
    await cluster.clock.advance(200);
    await cluster.node("a").cache.close();
    const entries = givenTo(cluster, "b").flatMap((part) => part.entries);
    expect(entries).toEqual([
      { key: "a:none", value: undefined, ttlMs: 300, tags: [""], fence: 0 },
      { key: "a:1", value: Buffer.from("v"), ttlMs: 800, tags: ["tag of a:1"], fence: 0 },
    ]);
  });

  it("I7 counts the time to live from the arrival of the ticket and omits expired entries", async () => {
    const cluster = await loadedCluster({ ttlMs: 1000 });
    await cluster.clock.advance(300);
    const back = deferred<void>();
    cluster.network.onTheWayBack = () => back.promise;
    const closing = cluster.node("a").cache.close();
    await cluster.clock.advance(200);
    back.resolve();
    await closing;
    expect(
      givenTo(cluster, "b").flatMap(({ entries }) => entries.map((each) => each.ttlMs)),
    ).toEqual([500, 500, 500]);
    const late = await loadedCluster({ ttlMs: 1000 });
    await late.clock.advance(1000);
    await late.node("a").cache.close();
    expect(keysGivenTo(late, "b")).toEqual([]);
  });

  it("I2 hands over combined fences, so that its successor rejects entries older than its own", async () => {
    const cluster = await loadedCluster();
    cluster.network.host("b").invalidate({
      group: "g",
      target: { kind: "keys", keys: ["a:1"] },
      fence: 7,
    });
    await cluster.node("a").cache.close();
    expect(cluster.node("b").group.peek("a:1")).toBeUndefined();
    expect(text(cluster.node("b").group.peek("a:2"))).toBe("old a:2");
  });

  it("serves its successors concurrently and the groups of each in turn, until the timeout", async () => {
    const cluster = clusterOf(ids, {}, { hasFallbackOwners: true });
    const { cache, group } = cluster.node("a");
    const other = cache.group("h", { load: () => "v" });
    // The entries it owned as the only node.
    cache.updatePeers(["a"]);
    for (const key of ["b:1", "c:1"]) {
      await load(cluster, { at: "a", key, value: "v" });
      await other.get(key);
    }
    await cluster.clock.advance(60_000);
    cache.updatePeers(ids);
    const successors = ["b", "c"].map((id) =>
      cluster.node(id).cache.group("h", { load: () => "v" }),
    );
    cluster.network.onTheWay = ({ to }) => (to === "b" ? lostAfter(cluster, 2000) : undefined);
    let isClosed = false;
    const closing = cache.close().then(() => {
      isClosed = true;
    });
    await cluster.clock.advance(1999);
    expect(isClosed).toBe(false);
    expect(givenTo(cluster, "b")).toHaveLength(1);
    expect(givenTo(cluster, "c").map((part) => [part.group, part.entries.length])).toEqual([
      ["g", 0],
      ["h", 0],
      ["g", 1],
      ["h", 1],
    ]);
    await cluster.clock.advance(1);
    await closing;
    expect(givenTo(cluster, "b")).toHaveLength(1);
    expect(successors.map((successor) => successor.stats().takenOver)).toEqual([0, 1]);
    expect(group.stats().main.items).toBe(0);
  });

  it("skips an unreachable peer, and a group that a peer does not have", async () => {
    const cluster = await loadedCluster();
    cluster.network.down.add("b");
    await cluster.node("a").cache.close();
    expect(givenTo(cluster, "b")).toHaveLength(1);

    const network = new DirectNetwork(["a", "b"], { hasFallbackOwners: true });
    const clock = new SteppedClock();
    const a = createGroupCache({ peers: network.picker("a"), clock });
    const b = createGroupCache({ peers: network.picker("b"), clock });
    await a.group("only here", { load: () => "v" }).get("a:1");
    await a.group("both", { load: () => "v" }).get("a:1");
    const both = b.group("both", { load: () => "v" });
    await a.close();
    expect(both.stats().takenOver).toBe(1);
  });

  it("sends parts of a bounded size one by one, each with the ticket of the previous one", async () => {
    const cluster = clusterOf(["a", "b"], {}, { hasFallbackOwners: true });
    const big = "x".repeat(100 * 1024);
    for (let index = 0; index < 5; index++) {
      await load(cluster, { at: "a", key: `a:big ${index}`, value: big });
    }
    await load(cluster, { at: "a", key: "a:huge", value: big.repeat(4) });
    for (let index = 0; index < 600; index++) {
      await load(cluster, { at: "a", key: `a:${index}`, value: "v" });
    }
    await cluster.node("a").cache.close();
    const parts = givenTo(cluster, "b");
    expect(parts.map(({ entries }) => entries.length)).toEqual([0, 500, 100, 1, 2, 2, 1]);
    const tickets = parts.map(({ ticket }) => ticket);
    expect(tickets[0]).toBe(0);
    expect(new Set(tickets).size).toBe(parts.length);
    expect(cluster.node("b").group.stats().takenOver).toBe(606);
  });

  it("serves callers and peers meanwhile", async () => {
    const cluster = await loadedCluster();
    const back = deferred<void>();
    cluster.network.onTheWayBack = ({ message }) =>
      "entries" in message ? back.promise : undefined;
    const closing = cluster.node("a").cache.close();
    await settled();
    for (const id of ["a", "c"]) {
      expect(text(await cluster.node(id).group.get("a:1"))).toBe("old a:1");
    }
    const { acknowledged } = await cluster.node("c").group.invalidate("a:1");
    expect([...acknowledged].sort()).toEqual(ids);
    back.resolve();
    await closing;
    expect(cluster.node("b").group.peek("a:1")).toBeUndefined();
    expect(text(cluster.node("b").group.peek("a:2"))).toBe("old a:2");
  });

  it("does not wait when all nodes leave at once", async () => {
    const cluster = await loadedCluster();
    await load(cluster, { at: "b", key: "b:1", value: "v" });
    await Promise.all(ids.map((id) => cluster.node(id).cache.close()));
    expect(cluster.clock.pendingCount).toBe(0);
  });

  it("hands nothing over with handOverMs 0, without peers, or to peers without takeOver", async () => {
    const network = new DirectNetwork(["a", "b"], { hasFallbackOwners: true });
    const clock = new SteppedClock();
    const a = createGroupCache({ peers: network.picker("a"), clock, handOverMs: 0 });
    const b = createGroupCache({ peers: network.picker("b"), clock });
    await a.group("g", { load: () => "v" }).get("a:1");
    b.group("g", { load: () => "v" });
    await a.close();
    const deaf = network.picker("b");
    const withoutWord = {
      ...deaf,
      pick: () => ({ id: "a", lookup: () => expect.unreachable(), invalidate: async () => {} }),
    };
    const c = createGroupCache({ peers: withoutWord, clock });
    c.group("g", { load: () => "v" });
    await c.close();
    await createGroupCache({ clock }).close();
    expect(network.handOvers).toEqual([]);
    for (const handOverMs of [-1, 600_001, Number.NaN]) {
      expect(() => createGroupCache({ handOverMs })).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
    }
  });

  it("spends at most handOverMs on a misbehaving peer", async () => {
    const cluster = await loadedCluster();
    cluster.network.onTheWayBack = () => {
      throw new ParsecError("MALFORMED_FRAME", "unreadable");
    };
    await cluster.node("a").cache.close();
    expect(givenTo(cluster, "b")).toHaveLength(1);
  });
});
