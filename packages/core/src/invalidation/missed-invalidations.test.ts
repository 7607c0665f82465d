import { afterEach, describe, expect, it } from "vitest";
import { SteppedClock } from "../../test/stepped-clock.ts";
import { ParsecError, type ParsecErrorCode } from "../errors.ts";
import type { Peer, PeerFailure, PeerInvalidation, PeerPicker } from "../peer.ts";
import type { InvalidationResult } from "./invalidation.ts";
import { MissedInvalidations } from "./missed-invalidations.ts";

let number = 0;

function invalidation(over: Partial<PeerInvalidation> = {}): PeerInvalidation {
  number++;
  return { group: "g", target: { kind: "keys", keys: [`k${number}`] }, fence: number, ...over };
}

function failed(...ids: string[]): PeerFailure[] {
  return ids.map((peerId) => ({
    peerId,
    error: new ParsecError("PEER_UNREACHABLE", "unreachable"),
  }));
}

function resultOf(acknowledged: string[], failedIds: string[]): InvalidationResult {
  return { acknowledged, failed: failed(...failedIds) };
}

/** Members that apply invalidations unless the test makes them fail. */
class Cluster {
  /** The invalidations that members were asked to retry. */
  readonly owed: { readonly to: string; readonly invalidation: PeerInvalidation }[] = [];
  #hangs = false;
  readonly clock = new SteppedClock();
  /** The invalidations sent to members. */
  readonly sent: { readonly to: string; readonly fence: number; readonly what: string }[] = [];
  readonly repeated: PeerInvalidation[] = [];
  /** Members that fail to apply invalidations, with the error code. */
  readonly failing: Map<string, ParsecErrorCode> = new Map();
  repeat: () => Promise<PeerFailure[]> = () => Promise.resolve([]);
  ids: string[];
  readonly missed: MissedInvalidations;

  constructor(ids: readonly string[]) {
    this.ids = [...ids];
    this.missed = new MissedInvalidations({
      picker: this.#picker(),
      clock: this.clock,
      repeat: async (again) => {
        this.repeated.push(again);
        this.missed.add(again, await this.repeat());
      },
    });
  }

  /** From now on no member answers. */
  hang(): void {
    this.#hangs = true;
  }

  fencesSentTo(id: string): number[] {
    return this.sent.filter(({ to }) => to === id).map(({ fence }) => fence);
  }

  #picker(): PeerPicker {
    return {
      selfId: "self",
      peers: () => this.ids.map((id) => this.#peer(id)),
      pick: () => undefined,
      updatePeers() {},
      attach() {},
      close: () => Promise.resolve(),
    };
  }

  #peer(id: string): Peer {
    return {
      id,
      lookup: () => expect.unreachable(),
      handOver: () => expect.unreachable(),
      invalidate: async (invalidation, { signal, timeoutMs }) => {
        const { fence, target, again, owedTo } = invalidation;
        expect(again).toBe(true);
        expect(timeoutMs).toBeGreaterThan(0);
        if (owedTo === undefined) {
          expect(signal?.aborted).toBe(false);
          this.sent.push({ to: id, fence, what: target.kind });
        } else this.owed.push({ to: id, invalidation });
        if (this.#hangs) {
          return new Promise((_, reject) => {
            const fail = (): void => reject(new ParsecError("TIMEOUT", "hangs"));
            const cancelTimer = this.clock.schedule(timeoutMs, fail);
            signal?.addEventListener("abort", cancelTimer);
          });
        }
        const code = this.failing.get(id);
        if (code !== undefined) throw new ParsecError(code, "not now");
      },
    };
  }
}

const opened: Cluster[] = [];

function clusterOf(...ids: string[]): Cluster {
  const cluster = new Cluster(ids);
  opened.push(cluster);
  return cluster;
}

afterEach(() => {
  for (const cluster of opened.splice(0)) {
    cluster.missed.close();
    expect(cluster.clock.pendingCount).toBe(0);
  }
});

describe("a peer that missed an invalidation", () => {
  it("gets it again with exponential backoff until it applies it", async () => {
    const { clock, failing, missed, sent } = clusterOf("a", "b");
    failing.set("a", "PEER_UNREACHABLE");
    missed.add(invalidation(), failed("a"));
    const at: number[] = [];
    for (let second = 0; second < 300; second++) {
      const before = sent.length;
      await clock.advance(100);
      if (sent.length > before) at.push((second + 1) * 100);
    }
    expect(at.slice(0, 6)).toEqual([100, 300, 700, 1500, 3100, 6300]);
    expect(at.slice(6).map((time, index) => time - (at[index + 5] as number))).toEqual([
      5000, 5000, 5000, 5000,
    ]);
    failing.clear();
    await clock.advance(5000);
    expect(clock.pendingCount).toBe(0);
    expect(new Set(sent.map(({ to }) => to))).toEqual(new Set(["a"]));
  });

  it("gets all missed ones in order, from the last failure on", async () => {
    const cluster = clusterOf("a");
    const { clock, failing, missed } = cluster;
    const all = [invalidation(), invalidation(), invalidation()];
    const fences = all.map(({ fence }) => fence);
    failing.set("a", "TIMEOUT");
    for (const one of all) missed.add(one, failed("a"));
    await clock.advance(100);
    expect(cluster.fencesSentTo("a")).toEqual(fences.slice(0, 1));
    failing.clear();
    await clock.advance(200);
    expect(cluster.fencesSentTo("a")).toEqual([fences[0], ...fences]);
    expect(clock.pendingCount).toBe(0);
  });

  it("gets one that is added during a delivery", async () => {
    const cluster = clusterOf("a");
    const { clock, missed } = cluster;
    const [first, second] = [invalidation(), invalidation()];
    missed.add(first, failed("a"));
    const delivery = clock.advance(100);
    missed.add(second, failed("a"));
    await delivery;
    expect(cluster.fencesSentTo("a")).toEqual([first.fence, second.fence]);
    expect(clock.pendingCount).toBe(0);
  });

  it("gets invalidations of whole groups when it missed too many", async () => {
    const { clock, missed, sent } = clusterOf("a");
    for (let index = 0; index < 1024; index++) {
      missed.add(invalidation({ group: index % 2 === 0 ? "g" : "h" }), failed("a"));
    }
    const last = invalidation();
    missed.add(last, failed("a"));
    await clock.advance(100);
    expect(sent.map(({ what }) => what)).toEqual(["all", "all"]);
    expect(sent[0]?.fence).toBe(last.fence);
  });

  it("gets no retry after a non-retryable error", async () => {
    const { clock, failing, missed, sent } = clusterOf("a", "b");
    const noGroup = new ParsecError("NO_SUCH_GROUP", "no such group");
    missed.add(invalidation(), [{ peerId: "a", error: noGroup }]);
    expect(clock.pendingCount).toBe(0);
    failing.set("b", "NO_SUCH_GROUP");
    missed.add(invalidation(), failed("b"));
    missed.add(invalidation(), failed("b"));
    await clock.advance(100);
    expect(sent).toHaveLength(2);
    expect(clock.pendingCount).toBe(0);
  });

  it("causes a repetition on all members once it has applied it", async () => {
    const { clock, missed, repeated } = clusterOf("a", "b");
    const [first, second] = [invalidation(), invalidation()];
    missed.add(first, failed("a"));
    missed.add(second, failed("a"));
    await clock.advance(100);
    expect(repeated).toEqual([
      { ...first, again: true },
      { ...second, again: true },
    ]);
  });

  it("gets a missed repetition again, without another repetition on all members", async () => {
    const cluster = clusterOf("a", "b");
    const { clock, missed, repeated } = cluster;
    cluster.repeat = () => Promise.resolve(failed("b"));
    missed.add(invalidation(), failed("a"));
    await clock.advance(100);
    expect(repeated).toHaveLength(1);
    await clock.advance(1000);
    expect(cluster.fencesSentTo("b")).toHaveLength(1);
    expect(repeated).toHaveLength(1);
    expect(clock.pendingCount).toBe(0);
  });

  it("I8 survives a repetition that fails on all members", async () => {
    const cluster = clusterOf("a");
    const { clock, missed, repeated } = cluster;
    cluster.repeat = () => Promise.reject(new ParsecError("NO_SUCH_GROUP", "no such group"));
    missed.add(invalidation(), failed("a"));
    await clock.advance(100);
    expect(repeated).toHaveLength(1);
    expect(clock.pendingCount).toBe(0);
  });

  it("gets nothing from a node that was closed", async () => {
    const { clock, missed, sent } = clusterOf("a");
    missed.add(invalidation(), failed("a"));
    missed.close();
    expect(clock.pendingCount).toBe(0);
    missed.add(invalidation(), failed("a"));
    await clock.advance(10_000);
    expect(sent).toEqual([]);
  });
});

describe("a former member", () => {
  it("gets the invalidations it missed when it joins again", async () => {
    const cluster = clusterOf("a", "b");
    const { clock, missed } = cluster;
    missed.add(invalidation(), []);
    cluster.ids = ["b"];
    const meanwhile = [invalidation(), invalidation()];
    for (const one of meanwhile) missed.add(one, []);
    await clock.advance(60_000);
    expect(cluster.sent).toEqual([]);
    cluster.ids = ["b", "a"];
    missed.add(invalidation(), []);
    await clock.advance(5000);
    expect(cluster.fencesSentTo("a")).toEqual(meanwhile.map(({ fence }) => fence));
    expect(cluster.fencesSentTo("b")).toEqual([]);
    expect(clock.pendingCount).toBe(0);
  });

  it("gets a repetition that was made without it, and causes no further one", async () => {
    const cluster = clusterOf("a", "b");
    const { clock, failing, missed, repeated } = cluster;
    const late = invalidation();
    failing.set("a", "PEER_UNREACHABLE");
    missed.add(late, failed("a"));
    cluster.ids = ["a"];
    missed.recordMembers();
    failing.clear();
    await clock.advance(1000);
    expect(repeated).toHaveLength(1);
    cluster.ids = ["a", "b"];
    await clock.advance(10_000);
    expect(cluster.fencesSentTo("b")).toEqual([late.fence]);
    expect(repeated).toHaveLength(1);
    expect(clock.pendingCount).toBe(0);
  });

  it("is forgotten after 256 others have left", async () => {
    const cluster = clusterOf("a");
    const { clock, missed } = cluster;
    missed.add(invalidation(), []);
    for (let index = 0; index < 257; index++) {
      cluster.ids = [`n${index}`];
      missed.add(invalidation(), []);
    }
    expect(clock.pendingCount).toBe(1);
    cluster.ids = ["a", "n0"];
    await clock.advance(5100);
    expect(cluster.fencesSentTo("a")).toEqual([]);
    expect(cluster.fencesSentTo("n0")).toHaveLength(256);
  });

  it("is forgotten an hour after it left, with its queue", async () => {
    const cluster = clusterOf("a", "b");
    const { clock, failing, missed } = cluster;
    failing.set("a", "PEER_UNREACHABLE");
    missed.add(invalidation(), failed("a"));
    cluster.ids = ["b"];
    missed.add(invalidation(), []);
    await clock.advance(3_600_000 + 5000);
    expect(clock.pendingCount).toBe(0);
    failing.clear();
    cluster.sent.length = 0;
    cluster.ids = ["a", "b"];
    missed.add(invalidation(), []);
    await clock.advance(10_000);
    expect(cluster.sent).toEqual([]);
  });

  it("costs an invalidation nothing, however many there are", async () => {
    const cluster = clusterOf("a");
    const { clock, missed } = cluster;
    for (let index = 0; index < 1000; index++) {
      cluster.ids = [`n${index}`];
      missed.recordMembers();
    }
    for (let index = 0; index < 10_000; index++) missed.add(invalidation(), []);
    expect(clock.pendingCount).toBe(1);
    cluster.ids = ["n998"];
    await clock.advance(5100);
    const kinds = cluster.sent.map(({ what }) => what);
    expect(kinds.filter((kind) => kind === "all")).toHaveLength(1);
    expect(kinds.length).toBeLessThanOrEqual(1025);
  });
});

describe("an invalidation in progress", () => {
  it("concerns all nodes that are members meanwhile, also those that join, leave and return", async () => {
    const cluster = clusterOf("a", "b");
    const { missed } = cluster;
    const become = (...ids: string[]): void => {
      cluster.ids = ids;
      missed.recordMembers();
    };
    const concerned = await missed.withMembers(async (members) => {
      become("b", "c");
      become("b");
      const inner = missed.withMembers(async (others) => {
        become("d");
        become("a");
        return others;
      });
      expect(Array.from(await inner, ({ id }) => id).sort()).toEqual(["a", "b", "d"]);
      return members;
    });
    become("e");
    expect(Array.from(concerned, ({ id }) => id).sort()).toEqual(["a", "b", "c", "d"]);
  });
});

describe("other members", () => {
  it("are asked to retry at a peer that was removed meanwhile", async () => {
    const cluster = clusterOf("a", "b", "c");
    const { missed } = cluster;
    const one = invalidation();
    cluster.ids = ["b", "c"];
    missed.add(one, failed("a"));
    await missed.share(one, resultOf(["self", "b", "c"], ["a"]));
    expect(cluster.owed.map(({ to }) => to).sort()).toEqual(["b", "c"]);
    expect(cluster.owed[0]?.invalidation.owedTo).toEqual(["a"]);
  });

  it("are asked, two of those that acknowledged, to retry it as well", async () => {
    const cluster = clusterOf("a", "b", "c", "d");
    const missed = invalidation();
    await cluster.missed.share(missed, resultOf(["self", "b", "c", "d"], ["a"]));
    expect(new Set(cluster.owed.map(({ to }) => to)).size).toBe(2);
    for (const { to, invalidation } of cluster.owed) {
      expect(["b", "c", "d"]).toContain(to);
      expect(invalidation).toEqual({ ...missed, owedTo: ["a"], again: true });
    }
  });

  it("are asked one after the other until one agrees, for a second at most", async () => {
    const cluster = clusterOf("a", "b", "c", "d");
    for (const id of ["b", "c"]) cluster.failing.set(id, "CLOSED");
    // The fence decides which members are asked first: b and c.
    await cluster.missed.share(
      invalidation({ fence: 3000 }),
      resultOf(["self", "b", "c", "d"], ["a"]),
    );
    expect(cluster.owed.at(-1)?.to).toBe("d");
    for (const id of ["b", "c", "d"]) cluster.failing.set(id, "CLOSED");
    await cluster.missed.share(invalidation(), resultOf(["self", "b", "c", "d"], ["a"]));
  });

  it("are not asked for what a retry cannot cure", async () => {
    const cluster = clusterOf("a", "b");
    const error = new ParsecError("NO_SUCH_GROUP", "no such group");
    const result = { acknowledged: ["self", "b"], failed: [{ peerId: "a", error }] };
    await cluster.missed.share(invalidation(), result);
    expect(cluster.owed).toEqual([]);
  });

  it("retry what they took over, and repeat it on all members afterwards", async () => {
    const cluster = clusterOf("a", "b");
    const { clock, missed, repeated } = cluster;
    const taken = invalidation();
    missed.takeOver({ ...taken, owedTo: ["a", "self"] });
    missed.takeOver({ ...taken, owedTo: ["a"] });
    await clock.advance(100);
    expect(cluster.fencesSentTo("a")).toEqual([taken.fence]);
    expect(repeated).toEqual([{ ...taken, again: true }]);
    expect(clock.pendingCount).toBe(0);
  });

  it("remember no more nodes than former members, whatever they are asked", async () => {
    const { clock, missed } = clusterOf("a");
    for (let index = 0; index < 10_000; index++) {
      missed.takeOver({ ...invalidation(), owedTo: [`stranger ${index}`] });
    }
    expect(clock.pendingCount).toBe(256);
  });

  it("get all debts of a node that leaves, also those to former members", async () => {
    const cluster = clusterOf("a", "b", "c");
    const { failing, missed } = cluster;
    const [first, second] = [invalidation(), invalidation()];
    failing.set("a", "PEER_UNREACHABLE");
    missed.add(first, failed("a"));
    cluster.ids = ["a", "c"];
    missed.add(second, failed("a"));
    expect(await missed.handOver()).toEqual([]);
    expect(cluster.owed).toEqual([
      { to: "c", invalidation: { ...first, owedTo: ["a"], again: true } },
      { to: "c", invalidation: { ...second, owedTo: ["a", "b"], again: true } },
    ]);
  });

  it("are not needed for a peer that is back when the node leaves", async () => {
    const cluster = clusterOf("a");
    const missed = invalidation();
    cluster.missed.add(missed, failed("a"));
    expect(await cluster.missed.handOver()).toEqual([]);
    expect(cluster.fencesSentTo("a")).toEqual([missed.fence]);
    expect(cluster.repeated).toEqual([{ ...missed, again: true }]);
  });

  it("that cannot be asked are reported, within two seconds", async () => {
    const cluster = clusterOf("a", "b");
    const { clock, failing, missed } = cluster;
    failing.set("a", "PEER_UNREACHABLE");
    failing.set("b", "CLOSED");
    missed.add(invalidation(), failed("a"));
    missed.add(invalidation(), failed("a", "b"));
    expect(await missed.handOver()).toEqual([
      { peerId: "a", count: 2 },
      { peerId: "b", count: 1 },
    ]);
    cluster.hang();
    const leaving = missed.handOver();
    await clock.advance(2000);
    expect(await leaving).toEqual([
      { peerId: "a", count: 2 },
      { peerId: "b", count: 1 },
    ]);
  });
});

describe("the members of a cluster", () => {
  it("leave nothing behind, however many there were", () => {
    const cluster = clusterOf("a");
    const { missed } = cluster;
    for (let index = 0; index < 100_000; index++) {
      cluster.ids = [`http://10.0.${index >> 8}.${index & 255}:8080`];
      missed.recordMembers();
    }
    cluster.ids = ["a"];
    missed.add(invalidation(), []);
    expect(missed.formerMembers).toBe(256);
  });
});
