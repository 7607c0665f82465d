import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clusterOf, type GroupCluster } from "../../test/cluster-of-groups.ts";
import { deferred } from "../../test/deferred.ts";
import { expectBalance, text } from "../../test/one-group.ts";
import { settled } from "../../test/stepped-clock.ts";
import { ParsecError } from "../errors.ts";

const everythingIsHot = { hot: { minRatePerMinute: 0 } };

/** Gets a key on a node. If its owner has to load it, the origin returns `value`. */
async function got(
  cluster: GroupCluster,
  id: string,
  key: string,
  value: string,
): Promise<string | undefined> {
  const answer = cluster.node(id).group.get(key);
  await settled();
  const [owner] = key.split(":", 1) as [string];
  cluster.node(owner).loader.calls.at(-1)?.resolve(value);
  return text(await answer);
}

function peeks(cluster: GroupCluster, ids: readonly string[], key: string): (string | undefined)[] {
  return ids.map((id) => text(cluster.node(id).group.peek(key)));
}

function loadsOf(cluster: GroupCluster, id: string): number {
  return cluster.node(id).loader.calls.length;
}

const ids = ["a", "b", "c"];

describe("invalidate", () => {
  it("I2 drops the entry and all copies, at the owner first, and lists the nodes that applied it", async () => {
    const cluster = clusterOf(ids, everythingIsHot);
    for (const id of ids) await got(cluster, id, "a:k", "old");
    expect(peeks(cluster, ids, "a:k")).toEqual(["old", "old", "old"]);
    const result = await cluster.node("b").group.invalidate("a:k");
    expect(result).toEqual({ acknowledged: ["b", "a", "c"], failed: [] });
    expect(cluster.network.invalidations.map(({ to }) => to)).toEqual(["a", "c"]);
    expect(peeks(cluster, ids, "a:k")).toEqual([undefined, undefined, undefined]);
    for (const id of ids) expect(await got(cluster, id, "a:k", "new")).toBe("new");
    expect(loadsOf(cluster, "a")).toBe(2);
    expect(ids.map((id) => cluster.node(id).group.stats().invalidations)).toEqual([1, 1, 1]);
  });

  it("I3 ignores keys beyond maxKeyBytes in invalidations of peers, and applies the others", async () => {
    const cluster = clusterOf(ids, { ...everythingIsHot, maxKeyBytes: 8 });
    await got(cluster, "a", "a:k", "old");
    const host = cluster.network.host("a");
    const tooLong = ["a:".padEnd(9, "x"), "a:".padEnd(65_000, "x"), "a:日日日"];
    const target = { kind: "keys" as const, keys: [...tooLong, "a:k"] };
    host.invalidate({ group: "g", target, fence: 5 });
    expect(peeks(cluster, ["a"], "a:k")).toEqual([undefined]);
    const question = (key: string) =>
      host.lookup({
        group: "g",
        key,
        input: undefined,
        fence: 0,
        timeoutMs: 100,
        memoryOnly: true,
      });
    expect(await question("a:k")).toMatchObject({ fence: 5 });
    for (const key of tooLong) expect(() => question(key)).toThrow("maxKeyBytes");
  });

  it("I2 waits for the owner before it drops copies", async () => {
    const cluster = clusterOf(ids, everythingIsHot);
    for (const id of ids) await got(cluster, id, "a:k", "old");
    const owner = deferred<void>();
    cluster.network.onTheWay = ({ to }) => (to === "a" ? owner.promise : undefined);
    const done = cluster.node("b").group.invalidate("a:k");
    await settled();
    expect(peeks(cluster, ids, "a:k")).toEqual(["old", "old", "old"]);
    owner.resolve();
    await done;
    expect(peeks(cluster, ids, "a:k")).toEqual([undefined, undefined, undefined]);
  });

  it("I2 settles the waiters of an owner's load and caches its value on no node", async () => {
    const cluster = clusterOf(ids, everythingIsHot);
    const before = ids.map((id) => cluster.node(id).group.get("a:k"));
    await settled();
    await cluster.node("c").group.invalidate("a:k");
    const after = ids.map((id) => cluster.node(id).group.get("a:k"));
    await settled();
    expect(loadsOf(cluster, "a")).toBe(2);
    cluster.node("a").loader.calls[0]?.resolve("old");
    expect((await Promise.all(before)).map(text)).toEqual(["old", "old", "old"]);
    expect(peeks(cluster, ids, "a:k")).toEqual([undefined, undefined, undefined]);
    cluster.node("a").loader.calls[1]?.resolve("new");
    expect((await Promise.all(after)).map(text)).toEqual(["new", "new", "new"]);
    expect(peeks(cluster, ids, "a:k")).toEqual(["new", "new", "new"]);
  });

  it("I2 does not cache an answer that was on its way meanwhile", async () => {
    const cluster = clusterOf(ids, everythingIsHot);
    await got(cluster, "a", "a:k", "old");
    const arrival = deferred<void>();
    cluster.network.onTheWayBack = ({ message }) =>
      "key" in message ? arrival.promise : undefined;
    const before = cluster.node("b").group.get("a:k");
    await settled();
    await cluster.node("c").group.invalidate("a:k");
    arrival.resolve();
    expect(text(await before)).toBe("old");
    expect(cluster.node("b").group.peek("a:k")).toBeUndefined();
  });

  it("lists the nodes that failed, with the reason", async () => {
    const cluster = clusterOf(ids);
    cluster.network.down.add("c");
    const { acknowledged, failed } = await cluster.node("b").group.invalidate("a:k");
    expect(acknowledged).toEqual(["b", "a"]);
    expect(failed).toMatchObject([{ peerId: "c", error: { code: "PEER_UNREACHABLE" } }]);
    expect(failed[0]?.error).toBeInstanceOf(ParsecError);
  });

  it("lists a node without the group as failed", async () => {
    const cluster = clusterOf(["a", "b"]);
    const lonely = cluster.node("b").cache.group("only on b", { load: () => "v" });
    const { acknowledged, failed } = await lonely.invalidate("b:k");
    expect(acknowledged).toEqual(["b"]);
    expect(failed).toMatchObject([{ peerId: "a", error: { code: "NO_SUCH_GROUP" } }]);
  });

  it("I2 reaches an owner that missed it with the next lookup of a node that applied it", async () => {
    const cluster = clusterOf(ids, everythingIsHot);
    await got(cluster, "a", "a:k", "old");
    cluster.network.down.add("a");
    const { failed } = await cluster.node("b").group.invalidate("a:k");
    expect(failed.map(({ peerId }) => peerId)).toEqual(["a"]);
    cluster.network.down.delete("a");
    expect(text(cluster.node("a").group.peek("a:k"))).toBe("old");
    // c has applied it too; the lookup of either carries it to the owner.
    expect(await got(cluster, "c", "a:k", "new")).toBe("new");
    expect(peeks(cluster, ids, "a:k")).toEqual(["new", undefined, "new"]);
    // Only once: the lookup of b carries the same fence, which the owner knows by now.
    expect(await got(cluster, "b", "a:k", "newer")).toBe("new");
    expect(loadsOf(cluster, "a")).toBe(2);
  });

  it("I2 reaches an owner that missed two invalidations", async () => {
    const cluster = clusterOf(ids);
    await cluster.node("b").group.invalidate("a:k");
    await got(cluster, "a", "a:k", "old");
    for (const [round, fetched] of ["new", "newer"].entries()) {
      cluster.network.down.add("a");
      await cluster.node("b").group.invalidate("a:k");
      cluster.network.down.delete("a");
      expect(await got(cluster, "b", "a:k", fetched)).toBe(fetched);
      expect(loadsOf(cluster, "a")).toBe(round + 2);
    }
  });

  it("I2 detaches an owner's load that started before the fence arrived with a lookup", async () => {
    const cluster = clusterOf(["a", "b"]);
    const before = cluster.node("a").group.get("a:k");
    cluster.network.down.add("a");
    await cluster.node("b").group.invalidate("a:k");
    cluster.network.down.delete("a");
    const after = cluster.node("b").group.get("a:k");
    await settled();
    expect(loadsOf(cluster, "a")).toBe(2);
    cluster.node("a").loader.calls[1]?.resolve("new");
    expect(text(await after)).toBe("new");
    cluster.node("a").loader.calls[0]?.resolve("old");
    expect(text(await before)).toBe("old");
    expect(text(cluster.node("a").group.peek("a:k"))).toBe("new");
  });

  it("I2 sets the time to live of an overtaken answer to 0", async () => {
    const cluster = clusterOf(ids, everythingIsHot);
    const before = cluster.node("b").group.get("a:k");
    await settled();
    // The requester is unreachable; the owner has applied it.
    cluster.network.down.add("b");
    const { acknowledged } = await cluster.node("c").group.invalidate("a:k");
    expect(acknowledged).toEqual(["c", "a"]);
    cluster.node("a").loader.last.resolve("old");
    expect(text(await before)).toBe("old");
    expect(cluster.node("b").group.peek("a:k")).toBeUndefined();
  });

  it("I2 lets a requester adopt the merged fence of the owner", async () => {
    const cluster = clusterOf(["a", "b"]);
    cluster.network.host("a").invalidate({
      group: "g",
      target: { kind: "keys", keys: ["a:k"] },
      fence: 77,
    });
    cluster.network.down.add("a");
    await cluster.node("b").group.invalidate("a:k");
    cluster.network.down.delete("a");
    for (let request = 0; request < 3; request++) await got(cluster, "b", "a:k", "v");
    const [first, second, third] = cluster.network.lookups.map(({ message }) => message.fence);
    expect(first).toBeGreaterThan(0);
    expect(second).not.toBe(first);
    expect(third).toBe(second);
    expect(loadsOf(cluster, "a")).toBe(1);
  });

  it("I1 costs one fetch, not one for each node whose lookup carries the fence", async () => {
    const cluster = clusterOf(ids);
    for (let round = 1; round <= 5; round++) {
      const [invalidator] = [ids[round % 3] as string];
      await cluster.node(invalidator).group.invalidate("a:k");
      const all = ids.map((id) => cluster.node(id).group.get("a:k"));
      await settled();
      expect(loadsOf(cluster, "a")).toBe(round);
      cluster.node("a").loader.last.resolve(`value ${round}`);
      expect(new Set((await Promise.all(all)).map(text))).toEqual(new Set([`value ${round}`]));
    }
  });

  it("is safe when applied twice, late, or for an unknown key", async () => {
    const cluster = clusterOf(["a", "b"]);
    const message = { group: "g", target: { kind: "keys", keys: ["a:k"] }, fence: 77 } as const;
    const host = cluster.network.host("a");
    for (let round = 0; round < 3; round++) host.invalidate(message);
    expect(await got(cluster, "b", "a:k", "v")).toBe("v");
    host.invalidate(message);
    expect(await got(cluster, "b", "a:k", "again")).toBe("again");
    expect(loadsOf(cluster, "a")).toBe(2);
  });

  it("I4 rejects when the caller's signal fires", async () => {
    const cluster = clusterOf(ids);
    cluster.network.onTheWay = () => new Promise(() => {});
    const leaver = new AbortController();
    const done = cluster.node("b").group.invalidate("a:k", { signal: leaver.signal });
    await settled();
    leaver.abort();
    await expect(done).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("invalidateTag and invalidateAll", () => {
  const tags = (key: string): string[] => [key.slice(2)];

  it("I2 drop the entries on every node, copies on their way included", async () => {
    const cluster = clusterOf(ids, { ...everythingIsHot, tags });
    for (const key of ["a:red", "b:red", "a:blue"]) {
      for (const id of ids) await got(cluster, id, key, "old");
    }
    const underWay = cluster.node("c").group.get("b:other");
    await settled();
    const result = await cluster.node("c").group.invalidateTag("red");
    expect(result.failed).toEqual([]);
    expect([...result.acknowledged].sort()).toEqual(ids);
    for (const key of ["a:red", "b:red"]) {
      expect(peeks(cluster, ids, key)).toEqual([undefined, undefined, undefined]);
    }
    expect(peeks(cluster, ids, "a:blue")).toEqual(["old", "old", "old"]);
    cluster.node("b").loader.last.resolve("old");
    expect(text(await underWay)).toBe("old");
    expect(peeks(cluster, ids, "b:other")).toEqual([undefined, undefined, undefined]);
    await cluster.node("a").group.invalidateAll();
    expect(peeks(cluster, ids, "a:blue")).toEqual([undefined, undefined, undefined]);
  });

  it("I2 remove a copy of an owner's old value that was made before the owner applied it", async () => {
    const cluster = clusterOf(["a", "b"], everythingIsHot);
    await got(cluster, "a", "a:k", "old");
    let copied: Promise<unknown> | undefined;
    cluster.network.onTheWay = async ({ message }) => {
      if ("key" in message || copied !== undefined) return;
      // b has cleared its memory and looks the key up at a, which has not applied it yet.
      copied = cluster.node("b").group.get("a:k");
      await copied;
      expect(text(cluster.node("b").group.peek("a:k"))).toBe("old");
    };
    await cluster.node("b").group.invalidateAll();
    expect(peeks(cluster, ["a", "b"], "a:k")).toEqual([undefined, undefined]);
  });

  it("list the nodes that failed", async () => {
    const cluster = clusterOf(ids);
    cluster.network.down.add("c");
    for (const result of [
      await cluster.node("b").group.invalidateAll(),
      await cluster.node("b").group.invalidateTag("t"),
    ]) {
      expect(result).toMatchObject({ acknowledged: ["b", "a"], failed: [{ peerId: "c" }] });
    }
  });
});

describe("a node that missed an invalidation", () => {
  const back = async (cluster: GroupCluster, id: string): Promise<void> => {
    cluster.network.down.delete(id);
    await cluster.clock.advance(200);
    expect(cluster.clock.pendingCount).toBe(0);
  };

  it("applies it when it is back, and keeps values fetched since", async () => {
    const cluster = clusterOf(ids, everythingIsHot);
    for (const id of ids) await got(cluster, id, "a:k", "old");
    cluster.network.down.add("c");
    await cluster.node("b").group.invalidate("a:k");
    expect(await got(cluster, "b", "a:k", "new")).toBe("new");
    expect(peeks(cluster, ids, "a:k")).toEqual(["new", "new", "old"]);
    await back(cluster, "c");
    expect(peeks(cluster, ids, "a:k")).toEqual(["new", "new", undefined]);
    expect(await got(cluster, "c", "a:k", "newer")).toBe("new");
  });

  it("applies it for tags as well, and so do nodes that copied its old value", async () => {
    const cluster = clusterOf(ids, { ...everythingIsHot, tags: () => ["red"] });
    for (const id of ids) await got(cluster, id, "a:k", "old");
    cluster.network.onTheWay = ({ to, message }) => {
      if (to === "a" && "target" in message) throw new ParsecError("TIMEOUT", "lost");
    };
    await cluster.node("b").group.invalidateTag("red");
    expect(await got(cluster, "c", "a:k", "new")).toBe("old");
    expect(peeks(cluster, ids, "a:k")).toEqual(["old", undefined, "old"]);
    cluster.network.onTheWay = () => {};
    await back(cluster, "a");
    expect(peeks(cluster, ids, "a:k")).toEqual([undefined, undefined, undefined]);
    expect(await got(cluster, "c", "a:k", "new")).toBe("new");
  });

  it("drops its entry for a repeated fence, except in a retry", async () => {
    const cluster = clusterOf(ids);
    const message = { group: "g", target: { kind: "keys", keys: ["a:k"] }, fence: 77 } as const;
    const host = cluster.network.host("a");
    host.invalidate({ ...message, again: true });
    expect(await got(cluster, "a", "a:k", "v")).toBe("v");
    host.invalidate({ ...message, again: true });
    expect(peeks(cluster, ["a"], "a:k")).toEqual(["v"]);
    host.invalidate(message);
    expect(peeks(cluster, ["a"], "a:k")).toEqual([undefined]);
  });
});

describe("the counters", () => {
  it("I8 balance on every node with no load in flight, whatever the network does", async () => {
    const anyNode = fc.constantFrom(...ids);
    const anyKey = fc.constantFrom("a:1", "a:2", "b:1", "c:1", "");
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant("get" as const),
          node: anyNode,
          key: anyKey,
          leave: fc.boolean(),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constantFrom("resolve" as const, "reject" as const, "none" as const),
          node: anyNode,
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant("invalidate" as const),
          node: anyNode,
          key: anyKey,
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constantFrom("down" as const, "up" as const),
          node: anyNode,
        }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(150) }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 50, size: "max" }),
        fc.boolean(),
        async (steps, hasDeputies) => {
          const cluster = clusterOf(
            ids,
            {
              ttlMs: 100,
              staleWhileRevalidateMs: 50,
              negativeTtlMs: 50,
              timeoutMs: 200,
              maxFallbackLoads: 1,
              hot: { minRatePerMinute: 2 },
            },
            { hasFallbackOwners: hasDeputies },
          );
          const { network, clock } = cluster;
          const answers: Promise<unknown>[] = [];
          for (const each of steps) {
            if (each.kind === "wait") {
              await clock.advance(each.ms);
              continue;
            }
            const { group, loader } = cluster.node(each.node);
            if (each.kind === "get") {
              const leaver = new AbortController();
              const answer = group.get(
                each.key,
                each.leave ? { signal: leaver.signal } : undefined,
              );
              answers.push(answer.catch((error: unknown) => error));
              await settled();
              leaver.abort();
            } else if (each.kind === "invalidate") await group.invalidate(each.key);
            else if (each.kind === "down") network.down.add(each.node);
            else if (each.kind === "up") network.down.delete(each.node);
            else if (each.kind === "resolve") loader.calls.at(-1)?.resolve("v");
            else if (each.kind === "none") loader.calls.at(-1)?.resolve(undefined);
            else loader.calls.at(-1)?.reject(new Error("no"));
          }
          await clock.advance(400);
          for (const answer of await Promise.all(answers)) {
            if (answer instanceof Error) expect(answer).toBeInstanceOf(ParsecError);
          }
          for (const id of ids) expectBalance(cluster.node(id).group.stats());
          // A node that was down gets its missed invalidations once it is up.
          network.down.clear();
          await clock.advance(10_000);
          expect(clock.pendingCount).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });
});
