import { describe, expect, it } from "vitest";
import {
  createHistory,
  type FetchRecord,
  type GetRecord,
  type InvalidationRecord,
  type InvariantName,
  type Moment,
  type SimulatedOutcome,
  type SimulationHistory,
} from "../history/simulation-history.ts";
import type { SimulatedPolicy, SimulationPlan } from "../plan/simulation-plan.ts";
import { checkHistory } from "./check-history.ts";

/*
 * Histories written by hand: each bad one differs a little from a good one, which must pass. Steps and
 * times are equal here.
 */

const policy: SimulatedPolicy = {
  maxBytes: 2 ** 20,
  ttlMs: 100,
  ttlJitter: 0,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0,
  negativeTtlMs: 0,
  timeoutMs: 200,
  onPeerFailure: "load",
};

function planWith(over: Partial<SimulatedPolicy> = {}): SimulationPlan {
  return {
    seed: 1,
    nodeCount: 2,
    isNew: true,
    surface: "group",
    policy: { ...policy, ...over },
    network: {
      minDelayMs: 1,
      maxDelayMs: 2,
      loseShare: 0,
      garbleShare: 0,
      duplicateShare: 0,
      maxLateMs: 5,
    },
    origin: {
      maxDurationMs: 10,
      failShare: 0,
      throwShare: 0,
      absentShare: 0,
      nonsenseShare: 0,
      hangShare: 0,
      deafShare: 0,
    },
    commands: [],
  };
}

const at = (time: number): Moment => ({ step: time, atMs: time });
const value = (fetch: number): SimulatedOutcome => ({ kind: "value", fetch, version: 1 });
const failure = (
  code: "ORIGIN_FAILED" | "TIMEOUT" | "PEER_UNREACHABLE" | "ABORTED" | "CLOSED",
  message = "",
) => ({ kind: "error", code, message }) as const;

/** Builds a history event by event. */
class Story {
  readonly history: SimulationHistory = createHistory();

  fetch(from: number, to: number | undefined, over: Partial<FetchRecord> = {}): this {
    this.history.fetches.push({
      id: this.history.fetches.length,
      node: "n0#1",
      key: "k0",
      begun: at(from),
      version: 1,
      ...(to === undefined ? {} : { ended: at(to), outcome: "value" as const }),
      ...over,
    });
    return this;
  }

  get(
    from: number,
    to: number | undefined,
    outcome: SimulatedOutcome | undefined,
    over: Partial<GetRecord> = {},
  ): this {
    this.history.gets.push({
      id: this.history.gets.length,
      node: "n0#1",
      key: "k0",
      how: "get",
      begun: at(from),
      ...(to === undefined ? {} : { settled: at(to) }),
      ...(outcome === undefined ? {} : { outcome }),
      ...over,
    });
    return this;
  }

  invalidation(from: number, to: number, over: Partial<InvalidationRecord> = {}): this {
    this.history.invalidations.push({
      id: this.history.invalidations.length,
      node: "n0#1",
      target: { kind: "keys", keys: ["k0"] },
      begun: at(from),
      settled: at(to),
      versions: new Map(),
      acknowledged: ["n0#1", "n1#1"],
      failed: [],
      unnamed: [],
      ...over,
    });
    return this;
  }

  with(change: (history: SimulationHistory) => void): this {
    change(this.history);
    return this;
  }
}

function found(story: Story, over: Partial<SimulatedPolicy> = {}): InvariantName[] {
  return checkHistory(planWith(over), story.history).map(({ invariant }) => invariant);
}

const tell = () => new Story();

interface Pair {
  readonly name: string;
  readonly breaks: InvariantName;
  /** Further violations in the bad history. */
  readonly also?: readonly InvariantName[];
  readonly bad: Story;
  readonly good: Story;
  readonly policy?: Partial<SimulatedPolicy>;
}

const account = {
  node: "n0#1",
  gets: 5,
  cacheHits: 3,
  loads: 2,
  flights: 0,
  loadsDeduped: 0,
  peerLoads: 0,
  peerErrors: 0,
  warmLoads: 0,
  localLoads: 0,
  localLoadErrs: 0,
  serverRequests: 0,
  evictions: 0,
  mainItems: 1,
  ownedKeys: 1,
};

const pairs: readonly Pair[] = [
  {
    name: "two concurrent fetches of a key",
    breaks: "I1",
    bad: tell().fetch(1, 10).fetch(5, 12, { node: "n1#1" }),
    good: tell().fetch(1, 10).fetch(5, 12, { node: "n1#1", key: "k1" }),
  },
  {
    name: "two concurrent fetches, the first of which was cancelled",
    breaks: "I1",
    bad: tell().fetch(1, 10).fetch(5, 12),
    good: tell()
      .fetch(1, 10, { signalled: at(3) })
      .fetch(5, 12),
  },
  {
    name: "a fetch of a key that is fresh in memory",
    breaks: "I1",
    bad: tell().fetch(1, 10).fetch(50, 55),
    good: tell().fetch(1, 10).fetch(111, 115),
  },
  {
    name: "a value older than an acknowledged invalidation",
    breaks: "I2",
    bad: tell().fetch(1, 10).invalidation(20, 30).get(31, 32, value(0)),
    good: tell().fetch(1, 10).invalidation(20, 30).get(29, 32, value(0)),
  },
  {
    name: "an old value on a node that the invalidation did not reach",
    breaks: "I2",
    bad: tell().fetch(1, 10).invalidation(20, 30).get(31, 31, value(0)),
    good: tell()
      .fetch(1, 10)
      .invalidation(20, 30, { acknowledged: ["n1#1"], failed: ["n0"] })
      .get(31, 31, value(0)),
  },
  {
    name: "a value of a fetch that began before an invalidation",
    breaks: "I2",
    bad: tell().fetch(15, 40).invalidation(20, 30).get(41, 42, value(0)),
    good: tell().fetch(21, 40).invalidation(20, 30).get(41, 42, value(0)),
  },
  {
    name: "an old version from a new fetch",
    breaks: "I2",
    bad: tell()
      .fetch(25, 27)
      .invalidation(20, 24, { versions: new Map([["k0", 2]]) })
      .get(28, 29, value(0)),
    good: tell()
      .fetch(25, 27)
      .invalidation(20, 24, { versions: new Map([["k0", 1]]) })
      .get(28, 29, value(0)),
  },
  {
    name: "an absence from before the invalidation",
    breaks: "I2",
    bad: tell()
      .fetch(1, 10, { outcome: "absent" })
      .invalidation(20, 30)
      .get(31, 32, { kind: "absent" }),
    good: tell()
      .fetch(1, 10, { outcome: "absent" })
      .invalidation(20, 30)
      .fetch(31, 32, { outcome: "absent" })
      .get(31, 33, { kind: "absent" }),
    policy: { negativeTtlMs: 90 },
  },
  {
    name: "a member that is neither in acknowledged nor in failed",
    breaks: "I2",
    bad: tell().invalidation(1, 2, { unnamed: ["n1"] }),
    good: tell().invalidation(1, 2),
  },
  {
    name: "more bytes than maxBytes",
    breaks: "I3",
    bad: tell().with((history) => history.peakBytes.set("n0#1", 2 ** 20 + 1)),
    good: tell().with((history) => history.peakBytes.set("n0#1", 2 ** 20)),
  },
  {
    name: "ABORTED without an abort",
    breaks: "I4",
    bad: tell().get(1, 5, failure("ABORTED")),
    good: tell().get(1, 5, failure("ABORTED"), { aborted: at(5) }),
  },
  {
    name: "an abort without effect",
    breaks: "I4",
    bad: tell()
      .fetch(1, 9)
      .get(1, 9, value(0), { aborted: at(5) }),
    good: tell().fetch(1, 9).get(1, 9, value(0)),
  },
  {
    name: "a load that is not cancelled without waiters",
    breaks: "I4",
    bad: tell().with((history) =>
      history.abandonments.push({ key: "k0", at: at(9), forgotten: [0] }),
    ),
    good: tell().with((history) =>
      history.abandonments.push({ key: "k0", at: at(9), forgotten: [] }),
    ),
  },
  {
    name: "a failure that no fetch had",
    breaks: "I5",
    bad: tell()
      .fetch(1, 5, { outcome: "failed" })
      .get(1, 5, failure("ORIGIN_FAILED", "fetch 7 failed")),
    good: tell()
      .fetch(1, 5, { outcome: "failed" })
      .get(1, 5, failure("ORIGIN_FAILED", "fetch 0 failed")),
  },
  {
    name: "a failure of an earlier fetch",
    breaks: "I5",
    bad: tell()
      .fetch(1, 5, { outcome: "failed" })
      .get(9, 9, failure("ORIGIN_FAILED", "fetch 0 failed")),
    good: tell()
      .fetch(1, 9, { outcome: "failed" })
      .get(9, 9, failure("ORIGIN_FAILED", "fetch 0 failed")),
  },
  {
    name: "a remembered error that no fetch left at that moment",
    breaks: "I5",
    bad: tell()
      .fetch(1, 5, { outcome: "failed" })
      .get(40, 40, failure("ORIGIN_FAILED", "fetch 0 failed (the origin failed 20 ms ago, and …)")),
    good: tell()
      .fetch(1, 5, { outcome: "failed" })
      .get(40, 40, failure("ORIGIN_FAILED", "fetch 0 failed (the origin failed 35 ms ago, and …)")),
  },
  {
    name: "a timeout without a slow fetch",
    breaks: "I5",
    bad: tell()
      .fetch(1, 20, { signalled: at(20) })
      .get(1, 201, failure("TIMEOUT")),
    good: tell()
      .fetch(1, undefined, { signalled: at(201) })
      .get(1, 201, failure("TIMEOUT")),
  },
  {
    name: "PEER_UNREACHABLE although onPeerFailure is load",
    breaks: "I5",
    bad: tell().get(1, 5, failure("PEER_UNREACHABLE")),
    good: tell().get(1, 5, failure("ABORTED"), { aborted: at(5) }),
  },
  {
    name: "a code that no simulation can cause",
    breaks: "I5",
    bad: tell().get(1, 5, failure("CLOSED")),
    good: tell()
      .get(1, 5, failure("CLOSED"))
      .with((history) => history.deaths.set("n0#1", at(4))),
  },
  {
    name: "an absence that no fetch found",
    breaks: "I5",
    also: ["I7"],
    bad: tell().fetch(1, 5).get(1, 5, { kind: "absent" }),
    good: tell()
      .fetch(1, 5, { outcome: "absent" })
      .get(1, 5, { kind: "absent" }, { settled: { step: 6, atMs: 5 } }),
  },
  {
    name: "a caller that still waits after its fetch failed",
    breaks: "I5",
    bad: tell()
      .fetch(1, 5, { outcome: "failed" })
      .fetch(6, 9, { outcome: "failed" })
      .get(2, 9, failure("ORIGIN_FAILED", "fetch 1 failed")),
    good: tell()
      .fetch(1, 5, { outcome: "failed" })
      .fetch(6, 9, { outcome: "failed" })
      .get(6, 9, failure("ORIGIN_FAILED", "fetch 1 failed")),
  },
  {
    name: "a value in the main cache of a node that does not own it",
    breaks: "I5",
    bad: tell().with((history) => history.accounts.push({ ...account, mainItems: 2 })),
    good: tell().with((history) => history.accounts.push(account)),
  },
  {
    name: "a lookup without a caller",
    breaks: "I6",
    bad: tell().with((history) =>
      history.questions.push({
        node: "n0#1",
        key: "k0",
        begun: at(1),
        onBehalfOf: 0,
        settled: at(2),
      }),
    ),
    good: tell().with((history) =>
      history.questions.push({
        node: "n0#1",
        key: "k0",
        begun: at(1),
        onBehalfOf: 1,
        settled: at(2),
      }),
    ),
  },
  {
    name: "a peer that waits for another node's fetch",
    breaks: "I6",
    also: ["I7"],
    bad: tell()
      .fetch(1, 9, { node: "n1#1" })
      .with((history) =>
        history.served.push({
          node: "n0#1",
          key: "k0",
          begun: at(2),
          settled: at(9),
          outcome: value(0),
          isLook: false,
          ttlMs: 1,
        }),
      ),
    good: tell()
      .fetch(1, 9)
      .with((history) =>
        history.served.push({
          node: "n0#1",
          key: "k0",
          begun: at(2),
          settled: at(9),
          outcome: value(0),
          isLook: false,
          ttlMs: 1,
        }),
      ),
  },
  {
    name: "a value after its ttl",
    breaks: "I7",
    bad: tell().fetch(1, 10).get(111, 111, value(0)),
    good: tell().fetch(1, 10).get(110, 110, value(0)),
  },
  {
    name: "a copy after the end of its owner's entry",
    breaks: "I7",
    bad: tell()
      .fetch(1, 10)
      .get(90, 90, value(0), { node: "n1#1" })
      .with((history) =>
        history.served.push({
          node: "n0#1",
          key: "k0",
          begun: at(5),
          settled: at(10),
          outcome: value(0),
          isLook: false,
          ttlMs: 60,
        }),
      ),
    good: tell()
      .fetch(1, 10)
      .get(70, 70, value(0), { node: "n1#1" })
      .with((history) =>
        history.served.push({
          node: "n0#1",
          key: "k0",
          begun: at(5),
          settled: at(10),
          outcome: value(0),
          isLook: false,
          ttlMs: 60,
        }),
      ),
  },
  {
    name: "an absence after its negative ttl",
    breaks: "I7",
    bad: tell().fetch(1, 10, { outcome: "absent" }).get(50, 51, { kind: "absent" }),
    good: tell()
      .fetch(1, 10, { outcome: "absent" })
      .get(9, 10, { kind: "absent" }, { settled: { step: 11, atMs: 10 } }),
  },
  {
    name: "a request that never ends",
    breaks: "I8",
    bad: tell().get(1, undefined, undefined),
    good: tell().get(1, undefined, undefined, { unknown: true }),
  },
  {
    name: "a request that exceeds its timeout",
    breaks: "I8",
    bad: tell().fetch(1, 300).get(1, 202, failure("TIMEOUT")),
    good: tell().fetch(1, 300).get(1, 201, failure("TIMEOUT")),
  },
  {
    name: "an invalidation that never ends",
    breaks: "I8",
    bad: tell()
      .invalidation(1, 2)
      .with((history) => {
        delete history.invalidations[0]?.settled;
      }),
    good: tell().invalidation(1, 2),
  },
  {
    name: "counters that do not balance",
    breaks: "I8",
    bad: tell().with((history) => history.accounts.push({ ...account, gets: 6 })),
    good: tell().with((history) => history.accounts.push(account)),
  },
  {
    name: "a fetch that was not counted",
    breaks: "I8",
    bad: tell()
      .fetch(1, 2)
      .with((history) => history.accounts.push(account)),
    good: tell()
      .fetch(1, 2)
      .with((history) => history.accounts.push({ ...account, loadsDeduped: 1, localLoads: 1 })),
  },
  {
    name: "a flight that has not ended",
    breaks: "I8",
    bad: tell().with((history) => history.accounts.push({ ...account, flights: 1 })),
    good: tell().with((history) => history.accounts.push(account)),
  },
  {
    name: "a timer that is left",
    breaks: "I8",
    bad: tell().with((history) => {
      history.timersLeft = 1;
    }),
    good: tell(),
  },
];

describe("checkHistory finds", () => {
  for (const { name, breaks, also = [], bad, good, policy: over } of pairs) {
    it(`${name} (${breaks})`, () => {
      expect(found(bad, over)).toEqual([breaks, ...also]);
      expect(found(good, over)).toEqual([]);
    });
  }
});

describe("I1 does not apply", () => {
  const twoAtOnce = () => tell().fetch(1, 10).fetch(5, 12, { node: "n1#1" });

  it("while nodes disagree or are unreachable", () => {
    const story = twoAtOnce().with((history) => history.unrest.push({ from: at(0) }));
    expect(found(story)).toEqual([]);
  });

  it("when the node of the first fetch crashed", () => {
    const story = twoAtOnce().with((history) => history.deaths.set("n0#1", at(4)));
    expect(found(story)).toEqual([]);
  });

  it("when an invalidation separates the fetches", () => {
    expect(found(twoAtOnce().invalidation(3, 9))).toEqual([]);
  });

  it("when the owner was unreachable", () => {
    const story = twoAtOnce().with((history) =>
      history.questions.push({
        node: "n1#1",
        key: "k0",
        begun: at(2),
        onBehalfOf: 1,
        settled: at(4),
        code: "PEER_UNREACHABLE",
      }),
    );
    expect(found(story)).toEqual([]);
  });
});

it("an invalidation of a tag binds only when all nodes were reached", () => {
  const target = { kind: "tag", tag: "even" } as const;
  const story = (over: Partial<InvalidationRecord>) =>
    tell()
      .fetch(1, 10)
      .invalidation(20, 30, { target, ...over })
      .get(31, 31, value(0));
  expect(found(story({}))).toEqual(["I2"]);
  expect(found(story({ failed: ["n2"] }))).toEqual([]);
  expect(found(story({ target: { kind: "tag", tag: "odd" } }))).toEqual([]);
});
