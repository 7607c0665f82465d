import { describe, expect, it } from "vitest";
import { clusterOf } from "../../test/cluster-of-groups.ts";
import { deferred } from "../../test/deferred.ts";
import { expectBalance, text } from "../../test/one-group.ts";
import { settled } from "../../test/stepped-clock.ts";
import { ParsecError, type ParsecErrorCode } from "../errors.ts";
import type { Peer, PeerAnswer, PeerPicker } from "../peer.ts";
import { createGroupCache } from "../registry/group-cache.ts";

describe("an owner that fails", () => {
  /** A node whose only peer owns every key and answers as the test says. */
  function requesterOf(
    answer: Peer["lookup"],
    options: { onPeerFailure?: "load" | "fail"; maxValueBytes?: number } = {},
  ) {
    const owner: Peer = { id: "owner", lookup: answer, invalidate: () => Promise.resolve() };
    const peers: PeerPicker = {
      selfId: "self",
      peers: () => [owner],
      pick: () => owner,
      updatePeers() {},
      attach() {},
      close: () => Promise.resolve(),
    };
    const loads: string[] = [];
    const cache = createGroupCache({ peers });
    const group = cache.group("g", {
      ...options,
      load(key) {
        loads.push(key);
        return "from here";
      },
    });
    return { group, loads };
  }

  const reported: ParsecErrorCode[] = [
    "ORIGIN_FAILED",
    "TIMEOUT",
    "KEY_TOO_LARGE",
    "VALUE_TOO_LARGE",
    "CODEC_FAILED",
    "INVALID_ARGUMENT",
    "MALFORMED_FRAME",
  ];

  it.each(reported)(
    "I5 with %s rejects all callers with its error, without a local load",
    async (code) => {
      const error = new ParsecError(code, "said the owner");
      const { group, loads } = requesterOf(() => Promise.reject(error));
      const results = await Promise.allSettled([group.get("k"), group.get("k"), group.get("k")]);
      for (const result of results) {
        expect(result.status === "rejected" && result.reason).toBe(error);
      }
      expect(loads).toEqual([]);
      expect(group.stats()).toMatchObject({ loadsDeduped: 1, peerErrors: 1, localLoads: 0 });
      expectBalance(group.stats());
    },
  );

  const unreachable: [string, Peer["lookup"]][] = [
    ["PEER_UNREACHABLE", () => Promise.reject(new ParsecError("PEER_UNREACHABLE", "gone"))],
    ["an error that no transport may give", () => Promise.reject(new TypeError("bug"))],
    ["nothing that is an error", () => Promise.reject()],
    [
      "an exception instead of a rejection",
      () => {
        throw new TypeError("bug");
      },
    ],
  ];

  const replaced: [string, Peer["lookup"]][] = [
    ["OVERLOADED", () => Promise.reject(new ParsecError("OVERLOADED", "busy"))],
    ["NO_SUCH_GROUP", () => Promise.reject(new ParsecError("NO_SUCH_GROUP", "not yet"))],
  ];

  it.each([...unreachable, ...replaced])(
    "I5 with %s is replaced by one local load",
    async (_, answer) => {
      const { group, loads } = requesterOf(answer);
      const values = await Promise.all([group.get("k"), group.get("k"), group.get("k")]);
      expect(values.map(text)).toEqual(["from here", "from here", "from here"]);
      expect(loads).toEqual(["k"]);
      expect(group.stats()).toMatchObject({ peerErrors: 1, localLoads: 1, loadsDeduped: 2 });
      expectBalance(group.stats());
    },
  );

  it.each(unreachable)(
    "I5 with %s rejects with PEER_UNREACHABLE when onPeerFailure is fail",
    async (_, answer) => {
      const { group, loads } = requesterOf(answer, { onPeerFailure: "fail" });
      const results = await Promise.allSettled([group.get("k"), group.get("k")]);
      for (const result of results)
        expect(result).toMatchObject({ reason: { code: "PEER_UNREACHABLE" } });
      expect(loads).toEqual([]);
      expectBalance(group.stats());
      // The next caller starts another lookup.
      await expect(group.get("k")).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
    },
  );

  it("I8 by returning an answer instead of a promise is tolerated", async () => {
    const answer = { value: Buffer.from("v"), ttlMs: 1000, fence: 0, ratePerMinute: 0 };
    const { group } = requesterOf(() => answer as unknown as Promise<PeerAnswer>);
    expect(text(await group.get("k"))).toBe("v");
    expectBalance(group.stats());
  });

  it.each([Number.NaN, -1, undefined])(
    "I9 with a time to live of %s gets its value served and not cached",
    async (ttl) => {
      const ttlMs = ttl as number;
      const answer = { value: Buffer.from("v"), ttlMs, fence: 0, ratePerMinute: 1000 };
      const { group } = requesterOf(() => Promise.resolve(answer));
      expect(text(await group.get("k"))).toBe("v");
      expect(group.stats().hot.items).toBe(0);
    },
  );

  it("I9 with a value beyond the limit rejects with VALUE_TOO_LARGE and caches nothing", async () => {
    const answer = { value: Buffer.alloc(11), ttlMs: 1000, fence: 0, ratePerMinute: 1000 };
    const { group } = requesterOf(() => Promise.resolve(answer), { maxValueBytes: 10 });
    await expect(group.get("k")).rejects.toMatchObject({ code: "VALUE_TOO_LARGE" });
    expect(group.stats().hot.items).toBe(0);
    expectBalance(group.stats());
  });

  it("I5 with an origin error rejects every waiter on every node after one fetch", async () => {
    const { node } = clusterOf(["a", "b", "c"]);
    const everyone = ["a", "b", "c"].flatMap((id) => [
      node(id).group.get("a:k"),
      node(id).group.get("a:k"),
    ]);
    const outcome = Promise.allSettled(everyone);
    await settled();
    node("a").loader.last.reject(new Error("database is gone"));
    for (const result of await outcome) {
      expect(result).toMatchObject({
        reason: { code: "ORIGIN_FAILED", message: expect.stringContaining("database is gone") },
      });
    }
    expect(["a", "b", "c"].map((id) => node(id).loader.calls.length)).toEqual([1, 0, 0]);
    for (const id of ["a", "b", "c"]) expectBalance(node(id).group.stats());
  });

  it("I5 is replaced by a local load whose value goes to the hot cache, whatever its rate", async () => {
    for (const hot of [{}, false] as const) {
      const { node, network } = clusterOf(["a", "b"], { hot });
      network.down.add("a");
      const value = node("b").group.get("a:k");
      await settled();
      node("b").loader.last.resolve("from b");
      expect(text(await value)).toBe("from b");
      expect(node("b").group.stats()).toMatchObject({ main: { items: 0 }, hot: { items: 1 } });
    }
  });

  it("I5 is replaced by a local load whose error rejects the caller", async () => {
    const { node, network } = clusterOf(["a", "b"]);
    network.down.add("a");
    const outcome = Promise.allSettled([node("b").group.get("a:k"), node("b").group.get("a:k")]);
    await settled();
    node("b").loader.last.reject(new Error("no"));
    for (const result of await outcome)
      expect(result).toMatchObject({ reason: { code: "ORIGIN_FAILED" } });
    expect(node("b").loader.calls).toHaveLength(1);
    expectBalance(node("b").group.stats());
  });

  it("I8 is replaced within timeoutMs for lookup and load together", async () => {
    const { node, network, clock } = clusterOf(["a", "b"], { timeoutMs: 1000 });
    const lost = deferred<void>();
    network.onTheWay = () => lost.promise;
    const outcome = node("b")
      .group.get("a:k")
      .catch((error: unknown) => error);
    await clock.advance(900);
    lost.reject(new ParsecError("PEER_UNREACHABLE", "connection lost"));
    await clock.advance(99);
    expect(node("b").group.stats().flights).toBe(2);
    await clock.advance(1);
    expect(await outcome).toMatchObject({ code: "TIMEOUT" });
    // The load has no other waiters, so its signal fires.
    expect(node("b").loader.last.signal.aborted).toBe(true);
    expectBalance(node("b").group.stats());
    expect(clock.pendingCount).toBe(0);
  });

  it("I8 is not replaced after the deadline", async () => {
    const { node, network, clock } = clusterOf(["a", "b"], { timeoutMs: 1000 });
    const lost = deferred<void>();
    network.onTheWay = () => lost.promise;
    const outcome = node("b")
      .group.get("a:k")
      .catch((error: unknown) => error);
    await clock.advance(1000);
    lost.reject(new ParsecError("PEER_UNREACHABLE", "connection lost"));
    expect(await outcome).toMatchObject({ code: "TIMEOUT" });
    expect(node("b").loader.calls).toHaveLength(0);
  });

  it("I4 is replaced by a load that is cancelled when the last caller has aborted", async () => {
    const { node, network } = clusterOf(["a", "b"]);
    network.down.add("a");
    const leaver = new AbortController();
    const left = node("b").group.get("a:k", { signal: leaver.signal });
    await settled();
    expect(node("b").loader.last.signal.aborted).toBe(false);
    leaver.abort();
    await expect(left).rejects.toMatchObject({ code: "ABORTED" });
    expect(node("b").loader.last.signal.aborted).toBe(true);
    expectBalance(node("b").group.stats());
  });
});
