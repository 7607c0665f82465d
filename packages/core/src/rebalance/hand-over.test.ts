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
/** b is first among the others: it inherits what a owns. */
const keys = ["a:1", "a:2", "a:3"];

async function loadedCluster(options: Omit<GroupOptions, "load"> = {}): Promise<GroupCluster> {
  const cluster = clusterOf(ids, options, { hasDeputies: true });
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
  // Whoever asks the origin gets this; who asked before has been answered.
  for (const id of ids) cluster.node(id)?.loader.calls.at(-1)?.resolve(value);
  return text(await got);
}

function givenTo(cluster: GroupCluster, id: string): PeerHandOver[] {
  return cluster.network.given.filter(({ to }) => to === id).map(({ message }) => message);
}

function keysGivenTo(cluster: GroupCluster, id: string): string[] {
  return givenTo(cluster, id).flatMap(({ entries }) => entries.map(({ key }) => key));
}

/** A message that never comes, which its sender learns by its own clock. */
function lostAfter(cluster: GroupCluster, timeoutMs: number): Promise<void> {
  return new Promise((_, reject) => {
    cluster.clock.schedule(timeoutMs, () => reject(new ParsecError("TIMEOUT", "lost")));
  });
}

describe("a node that leaves", () => {
  it("gives what it owns to those who will own it, what was used last first", async () => {
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

  it("gets it back when it returns: a rolling restart costs the origin nothing", async () => {
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

  it("hands over tags, absences and the time that is left", async () => {
    const cluster = clusterOf(
      ids,
      { ttlMs: 1000, negativeTtlMs: 500, tags: (key) => [`tag of ${key}`] },
      { hasDeputies: true },
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

  it("I7 counts the time to live from when the ticket came, and gives nothing that is over", async () => {
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

  it("I2 gives what it stands at, so that its heir refuses what it knows to be old", async () => {
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

  it("serves its heirs side by side, and the groups of one in turn, until the time is over", async () => {
    const cluster = clusterOf(ids, {}, { hasDeputies: true });
    const { cache, group } = cluster.node("a");
    const other = cache.group("h", { load: () => "v" });
    // What it owned while it took itself for the only node.
    cache.updatePeers(["a"]);
    for (const key of ["b:1", "c:1"]) {
      await load(cluster, { at: "a", key, value: "v" });
      await other.get(key);
    }
    await cluster.clock.advance(60_000);
    cache.updatePeers(ids);
    const heirs = ["b", "c"].map((id) => cluster.node(id).cache.group("h", { load: () => "v" }));
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
    expect(heirs.map((heir) => heir.stats().takenOver)).toEqual([0, 1]);
    expect(group.stats().main.items).toBe(0);
  });

  it("gives up on a peer that is out of reach, and on a group that one does not have", async () => {
    const cluster = await loadedCluster();
    cluster.network.down.add("b");
    await cluster.node("a").cache.close();
    expect(givenTo(cluster, "b")).toHaveLength(1);

    const network = new DirectNetwork(["a", "b"], { hasDeputies: true });
    const clock = new SteppedClock();
    const a = createGroupCache({ peers: network.picker("a"), clock });
    const b = createGroupCache({ peers: network.picker("b"), clock });
    await a.group("only here", { load: () => "v" }).get("a:1");
    await a.group("both", { load: () => "v" }).get("a:1");
    const both = b.group("both", { load: () => "v" });
    await a.close();
    expect(both.stats().takenOver).toBe(1);
  });

  it("sends parts of a bounded size, one after the other, each with the ticket of the one before", async () => {
    const cluster = clusterOf(["a", "b"], {}, { hasDeputies: true });
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

  it("serves its callers and peers meanwhile", async () => {
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

  it("wastes no time when all leave at once", async () => {
    const cluster = await loadedCluster();
    await load(cluster, { at: "b", key: "b:1", value: "v" });
    await Promise.all(ids.map((id) => cluster.node(id).cache.close()));
    expect(cluster.clock.pendingCount).toBe(0);
  });

  it("keeps everything to itself with handOverMs 0, alone, or among peers that take nothing", async () => {
    const network = new DirectNetwork(["a", "b"], { hasDeputies: true });
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
    expect(network.given).toEqual([]);
    for (const handOverMs of [-1, 600_001, Number.NaN]) {
      expect(() => createGroupCache({ handOverMs })).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
    }
  });

  it("loses no more than its own time to a peer that breaks its word", async () => {
    const cluster = await loadedCluster();
    cluster.network.onTheWayBack = () => {
      throw new ParsecError("MALFORMED_FRAME", "nobody can read this");
    };
    await cluster.node("a").cache.close();
    expect(givenTo(cluster, "b")).toHaveLength(1);
  });
});
