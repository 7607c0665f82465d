import { afterEach, describe, expect, it } from "vitest";
import { SteppedClock } from "../../test/stepped-clock.ts";
import { ParsecError, type ParsecErrorCode } from "../errors.ts";
import type { Peer, PeerFailure, PeerInvalidation, PeerPicker } from "../peer.ts";
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

/** Members that apply invalidations unless the test makes them fail. */
class Cluster {
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
        return { acknowledged: [], failed: await this.repeat() };
      },
    });
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
      invalidate: async ({ fence, target, again }, { signal, timeoutMs }) => {
        expect(again).toBe(true);
        expect(timeoutMs).toBeGreaterThan(0);
        expect(signal?.aborted).toBe(false);
        this.sent.push({ to: id, fence, what: target.kind });
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

  it("is dropped after many other members have left", async () => {
    const cluster = clusterOf("a");
    const { clock, missed } = cluster;
    missed.add(invalidation(), []);
    for (let index = 0; index < 65; index++) {
      cluster.ids = [`n${index}`];
      missed.add(invalidation(), []);
    }
    expect(clock.pendingCount).toBe(64);
    cluster.ids = ["a", "n0"];
    await clock.advance(5000);
    expect(cluster.fencesSentTo("a")).toEqual([]);
    expect(cluster.fencesSentTo("n0")).toHaveLength(64);
  });
});
