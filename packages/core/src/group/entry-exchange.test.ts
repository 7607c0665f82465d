import { describe, expect, it } from "vitest";
import { clusterOf, type GroupCluster } from "../../test/cluster-of-groups.ts";
import { expectBalance, text } from "../../test/one-group.ts";
import { settled } from "../../test/stepped-clock.ts";
import type { PeerEntry } from "../peer.ts";
import type { GroupOptions } from "../registry/group-cache.ts";

function entryOf(key: string, over: Partial<PeerEntry> = {}): PeerEntry {
  return { key, value: Buffer.from("given"), ttlMs: 1000, tags: [], fence: 0, ...over };
}

/** Node b, which accepts a hand-over. */
function receiver(options: Omit<GroupOptions, "load"> = {}) {
  const cluster: GroupCluster = clusterOf(["a", "b"], options, { hasFallbackOwners: true });
  const { group, cache, loader } = cluster.node("b");
  const host = cluster.network.host("b");
  const take = (ticket: number, ...entries: PeerEntry[]): number =>
    host.takeOver?.({ group: "g", ticket, entries }) ?? -1;
  const peek = (key: string): string | undefined => text(group.peek(key));
  return { cluster, clock: cluster.clock, host, group, cache, loader, take, peek };
}

describe("a node that accepts a hand-over", () => {
  it("issues a ticket for each part and stores the entries that come with it", () => {
    const { take, peek, group } = receiver();
    const first = take(0);
    const second = take(first, entryOf("a:1"), entryOf("a:2", { value: undefined }));
    const third = take(second, entryOf("a:3"));
    expect(new Set([0, first, second, third]).size).toBe(4);
    for (const ticket of [first, second, third]) expect(Number.isSafeInteger(ticket)).toBe(true);
    expect([peek("a:1"), peek("a:2"), peek("a:3")]).toEqual(["given", undefined, "given"]);
    expect(group.stats()).toMatchObject({ takenOver: 3, main: { items: 3 }, hot: { items: 0 } });
    expectBalance(group.stats());
  });

  it("rejects entries without a ticket, with an unknown ticket, or with a used one", () => {
    const { take, peek, group } = receiver();
    const ticket = take(0);
    take(ticket);
    for (const wrong of [0, ticket, 12_345]) {
      expect(take(wrong, entryOf("a:k"))).toBeGreaterThan(0);
      expect(peek("a:k")).toBeUndefined();
    }
    expect(group.stats().takenOver).toBe(0);
  });

  it("I7 counts the time to live from when it issued the ticket", async () => {
    const { take, peek, clock } = receiver();
    const ticket = take(0);
    await clock.advance(600);
    take(ticket, entryOf("a:k", { ttlMs: 1000 }), entryOf("a:late", { ttlMs: 600 }));
    expect(peek("a:late")).toBeUndefined();
    await clock.advance(399);
    expect(peek("a:k")).toBe("given");
    await clock.advance(1);
    expect(peek("a:k")).toBeUndefined();
  });

  it("keeps its own entries", async () => {
    const { take, peek, group, loader } = receiver();
    const own = group.get("b:k");
    await settled();
    loader.last.resolve("own");
    await own;
    take(take(0), entryOf("b:k"));
    expect(peek("b:k")).toBe("own");
    expect(group.stats().takenOver).toBe(0);
  });

  it("I2 rejects entries with other fences than its own, and adopts fences of unknown keys", async () => {
    const { cluster, take, peek, host } = receiver();
    host.invalidate({ group: "g", target: { kind: "keys", keys: ["a:k", "a:same"] }, fence: 7 });
    take(
      take(0),
      entryOf("a:k", { fence: 0 }),
      entryOf("a:same", { fence: 7 }),
      entryOf("a:new", { fence: 9 }),
    );
    expect([peek("a:k"), peek("a:same"), peek("a:new")]).toEqual([undefined, "given", "given"]);
    // A lookup with these fences is answered from memory.
    const lookup = { group: "g", key: "a:new", input: undefined, fence: 9, timeoutMs: 1000 };
    expect(await host.lookup(lookup)).toMatchObject({ fence: 9 });
    expect(cluster.node("b").loader.calls).toHaveLength(0);
  });

  it("I2 rejects entries whose tag was invalidated before or after the ticket", async () => {
    const { take, peek, host, clock } = receiver({ timeoutMs: 1000 });
    const sweep = (tag: string): void =>
      host.invalidate({ group: "g", target: { kind: "tag", tag }, fence: 7 });
    sweep("before");
    await clock.advance(1999);
    const ticket = take(0);
    await clock.advance(1000);
    sweep("since");
    const all = ["before", "since", "other"];
    take(ticket, ...all.map((tag) => entryOf(`a:${tag}`, { tags: [tag], ttlMs: 5000 })));
    expect(all.map((tag) => peek(`a:${tag}`))).toEqual([undefined, undefined, "given"]);
    host.invalidate({ group: "g", target: { kind: "all" }, fence: 8 });
    take(take(0), entryOf("a:k"));
    expect(peek("a:k")).toBeUndefined();
  });

  it("I2 rejects entries while it may have forgotten a fence since the invalidation", async () => {
    const { take, peek, host, clock } = receiver({ maxBytes: 64 * 1024, timeoutMs: 1000 });
    const invalidate = (...keys: string[]): void =>
      host.invalidate({ group: "g", target: { kind: "keys", keys }, fence: 7 });
    const ticket = take(0);
    invalidate("a:k");
    // The fences of a small group take 16 KiB in each of two generations.
    for (let index = 0; index < 300; index++) invalidate(`a:other ${index}`);
    take(ticket, entryOf("a:k", { ttlMs: 60_000 }));
    expect(peek("a:k")).toBeUndefined();
    await clock.advance(2001);
    take(take(0), entryOf("a:later", { ttlMs: 60_000 }));
    expect(peek("a:later")).toBe("given");
  });

  it("drops the accepted entries by their tags", async () => {
    const { take, peek, host } = receiver({ tags: () => [] });
    take(take(0), entryOf("a:red", { tags: ["red"] }), entryOf("a:blue", { tags: ["blue"] }));
    host.invalidate({ group: "g", target: { kind: "tag", tag: "red" }, fence: 7 });
    expect([peek("a:red"), peek("a:blue")]).toEqual([undefined, "given"]);
  });

  it("rejects tickets from before a network partition", () => {
    const { take, peek, host } = receiver();
    const ticket = take(0);
    host.rejoined?.();
    take(ticket, entryOf("a:k"));
    expect(peek("a:k")).toBeUndefined();
  });

  it("I9 rejects entries beyond its limits, and I3 stays within its budget", () => {
    const { take, peek, group } = receiver({ maxKeyBytes: 5, maxValueBytes: 100, maxBytes: 1000 });
    take(
      take(0),
      entryOf("a:too long"),
      entryOf(""),
      entryOf("a:big", { value: Buffer.alloc(101) }),
      entryOf("a:nan", { ttlMs: Number.NaN }),
      entryOf("a:k"),
    );
    expect(peek("a:k")).toBe("given");
    expect(group.stats()).toMatchObject({ takenOver: 1, main: { items: 1 } });
    for (let index = 0; index < 30; index++) {
      take(take(0), entryOf(`a:${index}`, { value: Buffer.alloc(90) }));
    }
    expect(group.stats().main.bytes).toBeLessThanOrEqual(1000);
    expect(group.stats().takenOver).toBe(31);
  });

  it("drops the oldest tickets when there are too many", () => {
    const { take, peek } = receiver();
    const old = take(0);
    const recent = Array.from({ length: 64 }, () => take(0));
    take(old, entryOf("a:old"));
    expect(peek("a:old")).toBeUndefined();
    take(recent[1] as number, entryOf("a:recent"));
    expect(peek("a:recent")).toBe("given");
  });

  it("fails for an unknown group and while it is closing", async () => {
    const { cache, host, take } = receiver();
    expect(() => host.takeOver?.({ group: "h", ticket: 0, entries: [] })).toThrow(
      expect.objectContaining({ code: "NO_SUCH_GROUP" }),
    );
    const closing = cache.close();
    expect(() => take(0)).toThrow(expect.objectContaining({ code: "CLOSED" }));
    await closing;
    expect(() => take(0)).toThrow(expect.objectContaining({ code: "CLOSED" }));
  });
});
