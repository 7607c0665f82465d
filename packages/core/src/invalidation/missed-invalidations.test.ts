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
  return ids.map((peerId) => ({ peerId, error: new ParsecError("PEER_UNREACHABLE", "no way") }));
}

/** Members that take what they are told unless the test says otherwise. */
class Cluster {
  readonly clock = new SteppedClock();
  /** What each member was told, by fence. */
  readonly told: { readonly to: string; readonly fence: number; readonly what: string }[] = [];
  readonly repeated: PeerInvalidation[] = [];
  /** Who fails to take an invalidation, and how. */
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

  fencesToldTo(id: string): number[] {
    return this.told.filter(({ to }) => to === id).map(({ fence }) => fence);
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
        this.told.push({ to: id, fence, what: target.kind });
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
  it("is told again until it takes it, less and less often, and then no more", async () => {
    const { clock, failing, missed, told } = clusterOf("a", "b");
    failing.set("a", "PEER_UNREACHABLE");
    missed.add(invalidation(), failed("a"));
    const at: number[] = [];
    for (let second = 0; second < 300; second++) {
      const before = told.length;
      await clock.advance(100);
      if (told.length > before) at.push((second + 1) * 100);
    }
    expect(at.slice(0, 6)).toEqual([100, 300, 700, 1500, 3100, 6300]);
    expect(at.slice(6).map((time, index) => time - (at[index + 5] as number))).toEqual([
      5000, 5000, 5000, 5000,
    ]);
    failing.clear();
    await clock.advance(5000);
    expect(clock.pendingCount).toBe(0);
    expect(new Set(told.map(({ to }) => to))).toEqual(new Set(["a"]));
  });

  it("is told everything in the order in which it was missed, from where it failed last", async () => {
    const cluster = clusterOf("a");
    const { clock, failing, missed } = cluster;
    const all = [invalidation(), invalidation(), invalidation()];
    const fences = all.map(({ fence }) => fence);
    failing.set("a", "TIMEOUT");
    for (const one of all) missed.add(one, failed("a"));
    await clock.advance(100);
    expect(cluster.fencesToldTo("a")).toEqual(fences.slice(0, 1));
    failing.clear();
    await clock.advance(200);
    expect(cluster.fencesToldTo("a")).toEqual([fences[0], ...fences]);
    expect(clock.pendingCount).toBe(0);
  });

  it("learns what comes up while it is being told", async () => {
    const cluster = clusterOf("a");
    const { clock, missed } = cluster;
    const [first, second] = [invalidation(), invalidation()];
    missed.add(first, failed("a"));
    const telling = clock.advance(100);
    missed.add(second, failed("a"));
    await telling;
    expect(cluster.fencesToldTo("a")).toEqual([first.fence, second.fence]);
    expect(clock.pendingCount).toBe(0);
  });

  it("is told to drop whole groups when it missed too many", async () => {
    const { clock, missed, told } = clusterOf("a");
    for (let index = 0; index < 1024; index++) {
      missed.add(invalidation({ group: index % 2 === 0 ? "g" : "h" }), failed("a"));
    }
    const last = invalidation();
    missed.add(last, failed("a"));
    await clock.advance(100);
    expect(told.map(({ what }) => what)).toEqual(["all", "all"]);
    expect(told[0]?.fence).toBe(last.fence);
  });

  it("is not told again what it has no use for", async () => {
    const { clock, failing, missed, told } = clusterOf("a", "b");
    const noGroup = new ParsecError("NO_SUCH_GROUP", "no such group");
    missed.add(invalidation(), [{ peerId: "a", error: noGroup }]);
    expect(clock.pendingCount).toBe(0);
    failing.set("b", "NO_SUCH_GROUP");
    missed.add(invalidation(), failed("b"));
    missed.add(invalidation(), failed("b"));
    await clock.advance(100);
    expect(told).toHaveLength(2);
    expect(clock.pendingCount).toBe(0);
  });

  it("has everybody told once more when it has learned, because it may have handed the old value on", async () => {
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

  it("ends there: who misses the repetition is told, and nobody else for that", async () => {
    const cluster = clusterOf("a", "b");
    const { clock, missed, repeated } = cluster;
    cluster.repeat = () => Promise.resolve(failed("b"));
    missed.add(invalidation(), failed("a"));
    await clock.advance(100);
    expect(repeated).toHaveLength(1);
    await clock.advance(1000);
    expect(cluster.fencesToldTo("b")).toHaveLength(1);
    expect(repeated).toHaveLength(1);
    expect(clock.pendingCount).toBe(0);
  });

  it("I8 survives a repetition that fails altogether", async () => {
    const cluster = clusterOf("a");
    const { clock, missed, repeated } = cluster;
    cluster.repeat = () => Promise.reject(new ParsecError("NO_SUCH_GROUP", "it is gone"));
    missed.add(invalidation(), failed("a"));
    await clock.advance(100);
    expect(repeated).toHaveLength(1);
    expect(clock.pendingCount).toBe(0);
  });

  it("is told nothing any more by a node that was closed", async () => {
    const { clock, missed, told } = clusterOf("a");
    missed.add(invalidation(), failed("a"));
    missed.close();
    expect(clock.pendingCount).toBe(0);
    missed.add(invalidation(), failed("a"));
    await clock.advance(10_000);
    expect(told).toEqual([]);
  });
});

describe("a node that was no member for a while", () => {
  it("is told what it missed once it is one again", async () => {
    const cluster = clusterOf("a", "b");
    const { clock, missed } = cluster;
    missed.add(invalidation(), []);
    cluster.ids = ["b"];
    const meanwhile = [invalidation(), invalidation()];
    for (const one of meanwhile) missed.add(one, []);
    await clock.advance(60_000);
    expect(cluster.told).toEqual([]);
    cluster.ids = ["b", "a"];
    missed.add(invalidation(), []);
    await clock.advance(5000);
    expect(cluster.fencesToldTo("a")).toEqual(meanwhile.map(({ fence }) => fence));
    expect(cluster.fencesToldTo("b")).toEqual([]);
    expect(clock.pendingCount).toBe(0);
  });

  it("is forgotten when many others have left since", async () => {
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
    expect(cluster.fencesToldTo("a")).toEqual([]);
    expect(cluster.fencesToldTo("n0")).toHaveLength(64);
  });
});
