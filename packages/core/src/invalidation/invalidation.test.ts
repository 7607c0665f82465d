import { describe, expect, it } from "vitest";
import { deferred } from "../../test/deferred.ts";
import { SteppedClock, settled } from "../../test/stepped-clock.ts";
import { ParsecError } from "../errors.ts";
import type { Peer, PeerInvalidation, PeerInvalidationTarget, PeerPicker } from "../peer.ts";
import { SharedSignals } from "../shared-signals.ts";
import { type InvalidationResult, invalidateEverywhere } from "./invalidation.ts";
import { MembersMeanwhile } from "./members-meanwhile.ts";

/** Members whose answers the test controls; the first letter of a key is its owner. */
class Members {
  readonly order: string[] = [];
  readonly received: PeerInvalidation[] = [];
  readonly results: InvalidationResult[] = [];
  ids: string[];
  /** Members that are other processes of the same node. */
  readonly workers: Set<string> = new Set();
  readonly #peers: Map<string, Peer> = new Map();
  answer: (id: string) => Promise<void> = () => Promise.resolve();

  constructor(ids: readonly string[]) {
    this.ids = [...ids];
  }

  get picker(): PeerPicker {
    return {
      selfId: "self",
      peers: () => this.ids.map((id) => this.#peer(id)),
      pick: (key) => (this.ids.includes(key.charAt(0)) ? this.#peer(key.charAt(0)) : undefined),
      updatePeers() {},
      attach() {},
      close: () => Promise.resolve(),
    };
  }

  invalidate(target: PeerInvalidationTarget, signal?: AbortSignal) {
    return invalidateEverywhere(
      { group: "g", target, fence: 5 },
      {
        picker: this.picker,
        members: new MembersMeanwhile(this.picker.peers()),
        onResult: (result) => this.results.push(result),
        apply: () => this.order.push("self"),
        timeoutMs: 100,
        clock: new SteppedClock(),
        signals: new SharedSignals(),
        signal,
      },
    );
  }

  #peer(id: string): Peer {
    const known = this.#peers.get(id);
    if (known !== undefined) return known;
    const peer: Peer = {
      id,
      ...(this.workers.has(id) ? { isWorker: true } : {}),
      lookup: () => expect.unreachable(),
      invalidate: (invalidation, { timeoutMs }) => {
        expect(timeoutMs).toBe(100);
        this.order.push(id);
        this.received.push(invalidation);
        return this.answer(id);
      },
    };
    this.#peers.set(id, peer);
    return peer;
  }
}

function keysOf(...keys: string[]): PeerInvalidationTarget {
  return { kind: "keys", keys };
}

describe("invalidateEverywhere", () => {
  it("notifies the owner of a key, then this node, then the others, each once", async () => {
    const members = new Members(["a", "b", "c"]);
    const result = await members.invalidate(keysOf("b:k"));
    expect(members.order).toEqual(["b", "self", "a", "c"]);
    expect(result).toEqual({ acknowledged: ["self", "b", "a", "c"], failed: [] });
    for (const received of members.received) {
      expect(received).toEqual({ group: "g", target: keysOf("b:k"), fence: 5 });
    }
  });

  it("starts with this node when it owns the key", async () => {
    const members = new Members(["a", "b"]);
    await members.invalidate(keysOf("mine"));
    expect(members.order).toEqual(["self", "a", "b"]);
  });

  it("notifies all owners of several keys before other members", async () => {
    const members = new Members(["a", "b", "c"]);
    await members.invalidate(keysOf("c:1", "b:2", "c:3", "mine"));
    expect(members.order.slice(0, 2).sort()).toEqual(["b", "c"]);
    expect(members.order.slice(2)).toContain("self");
    expect([...members.order].sort()).toEqual([...new Set(members.order)].sort());
  });

  it("I2 waits for the owner before it continues, even if the owner fails", async () => {
    const members = new Members(["a", "b"]);
    const owner = deferred<void>();
    members.answer = (id) => (id === "a" ? owner.promise : Promise.resolve());
    const done = members.invalidate(keysOf("a:k"));
    await settled();
    expect(members.order).toEqual(["a"]);
    owner.reject(new ParsecError("TIMEOUT", "too slow"));
    expect(await done).toMatchObject({
      acknowledged: ["self", "b"],
      failed: [{ peerId: "a", error: { code: "TIMEOUT" } }],
    });
  });

  it("notifies members that join meanwhile", async () => {
    const members = new Members(["a"]);
    const first = deferred<void>();
    members.answer = (id) => (id === "a" ? first.promise : Promise.resolve());
    const done = members.invalidate(keysOf("mine"));
    await settled();
    members.ids.push("d");
    first.resolve();
    expect((await done).acknowledged).toEqual(["self", "a", "d"]);
  });

  it("I2 lists a member that was removed before it was notified, and does not wait for it", async () => {
    const members = new Members(["a", "b", "c"]);
    members.answer = (id) => {
      if (id === "a") members.ids = ["a", "c"];
      return Promise.resolve();
    };
    const result = await members.invalidate(keysOf("a:k"));
    expect(members.order).toEqual(["a", "self", "c"]);
    expect(result).toMatchObject({
      acknowledged: ["self", "a", "c"],
      failed: [{ peerId: "b", error: { code: "PEER_UNREACHABLE" } }],
    });
    expect(members.results).toEqual([result]);
  });

  it("I2 lists a member that was removed between the two rounds for a tag or group", async () => {
    const members = new Members(["a", "b"]);
    members.answer = (id) => {
      if (id === "b") members.ids = ["a"];
      return Promise.resolve();
    };
    const { acknowledged, failed } = await members.invalidate({ kind: "tag", tag: "t" });
    expect(acknowledged).toEqual(["self", "a"]);
    expect(failed.map(({ peerId }) => peerId)).toEqual(["b"]);
  });

  it("notifies a member that was removed and is back", async () => {
    const members = new Members(["a", "b"]);
    const answers: Readonly<Record<string, readonly string[]>> = { a: ["a"], self: [], b: [] };
    const first = deferred<void>();
    members.answer = (id) => {
      members.ids = [...(answers[id] ?? [])];
      return id === "a" ? first.promise : Promise.resolve();
    };
    const done = members.invalidate(keysOf("mine"));
    await settled();
    members.ids = ["a", "b"];
    first.resolve();
    expect((await done).acknowledged).toEqual(["self", "a", "b"]);
  });

  it("omits another process of this node that ended meanwhile", async () => {
    const members = new Members(["a", "w"]);
    members.workers.add("w");
    members.answer = () => {
      members.ids = ["a"];
      return Promise.resolve();
    };
    expect(await members.invalidate(keysOf("a:k"))).toEqual({
      acknowledged: ["self", "a"],
      failed: [],
    });
  });

  it("notifies all members twice for tags and groups", async () => {
    for (const target of [{ kind: "all" }, { kind: "tag", tag: "t" }] as const) {
      const members = new Members(["a", "b"]);
      const result = await members.invalidate(target);
      expect(members.order).toEqual(["self", "a", "b", "self", "a", "b"]);
      expect(result).toEqual({ acknowledged: ["self", "a", "b"], failed: [] });
    }
  });

  it("skips members in the second round that failed in the first", async () => {
    const members = new Members(["a", "b"]);
    const error = new ParsecError("PEER_UNREACHABLE", "down");
    members.answer = (id) => (id === "a" ? Promise.reject(error) : Promise.resolve());
    const result = await members.invalidate({ kind: "all" });
    expect(members.order).toEqual(["self", "a", "b", "self", "b"]);
    expect(result).toEqual({ acknowledged: ["self", "b"], failed: [{ peerId: "a", error }] });
  });

  it("lists a member that fails in the second round", async () => {
    const members = new Members(["a", "b"]);
    members.answer = (id) =>
      id === "a" && members.order.filter((notified) => notified === "a").length === 2
        ? Promise.reject(new ParsecError("PEER_UNREACHABLE", "down"))
        : Promise.resolve();
    const { acknowledged, failed } = await members.invalidate({ kind: "all" });
    expect(acknowledged).toEqual(["self", "b"]);
    expect(failed.map(({ peerId }) => peerId)).toEqual(["a"]);
  });

  it.each<[string, () => Promise<void>]>([
    ["rejects with an untyped error", () => Promise.reject(new TypeError("bug"))],
    [
      "throws",
      () => {
        throw new TypeError("bug");
      },
    ],
  ])("I8 takes a peer that %s for unreachable", async (_, answer) => {
    const members = new Members(["a"]);
    members.answer = answer;
    const { failed } = await members.invalidate(keysOf("a:k"));
    expect(failed).toMatchObject([
      { peerId: "a", error: { code: "PEER_UNREACHABLE", cause: { message: "bug" } } },
    ]);
  });

  it("I4 rejects when the caller's signal has fired, before the start or between two steps", async () => {
    const members = new Members(["a", "b"]);
    await expect(members.invalidate(keysOf("a:k"), AbortSignal.abort())).rejects.toMatchObject({
      code: "ABORTED",
    });
    expect(members.order).toEqual([]);
    const leaver = new AbortController();
    members.answer = (id) => {
      if (id === "b") leaver.abort();
      return Promise.resolve();
    };
    await expect(members.invalidate(keysOf("a:k"), leaver.signal)).rejects.toMatchObject({
      code: "ABORTED",
    });
  });
});
