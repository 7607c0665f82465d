import * as fc from "fast-check";
import type {
  SimulatedNetworkPlan,
  SimulatedOriginPlan,
  SimulatedPolicy,
  SimulationCommand,
  SimulationPlan,
} from "./simulation-plan.ts";

const node: fc.Arbitrary<number> = fc.nat(3);
const key: fc.Arbitrary<number> = fc.constantFrom(0, 0, 0, 1, 2);
const often = (none: number, some: number): fc.Arbitrary<number> =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant(none) },
    { weight: 1, arbitrary: fc.constant(some) },
  );

/** Mostly short, so that most commands run while the effects of earlier ones last. */
const afterMs: fc.Arbitrary<number> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 0, 1, 2, 3, 5, 8) },
  { weight: 2, arbitrary: fc.integer({ min: 9, max: 60 }) },
  { weight: 1, arbitrary: fc.integer({ min: 61, max: 400 }) },
);

const abortAfterMs: fc.Arbitrary<number> = fc.constantFrom(0, 1, 3, 10, 40);

const ordinaryCommand: fc.Arbitrary<SimulationCommand> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant("get" as const), afterMs, node, key }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("get" as const), afterMs, node, key, abortAfterMs }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("getMany" as const),
      afterMs,
      node,
      keys: fc.array(key, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("stampede" as const),
      afterMs,
      key,
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("getUncached" as const), afterMs, node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("write" as const), afterMs, key }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("invalidate" as const), afterMs, node, key }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("invalidateTag" as const),
      afterMs,
      node,
      tag: fc.nat(1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("invalidateAll" as const), afterMs, node }) },
);

const disturbance: fc.Arbitrary<SimulationCommand> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("crash" as const),
      afterMs,
      node,
      silent: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("leave" as const), afterMs, node }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("restart" as const), afterMs, node }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("cut" as const),
      afterMs,
      node,
      other: node,
      silent: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("heal" as const), afterMs }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("updatePeers" as const),
      afterMs,
      node,
      members: fc.integer({ min: 1, max: 15 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("agree" as const), afterMs }) },
);

/** Graceful restarts, as in a rolling deployment, and a few crashes. */
const comingAndGoing: fc.Arbitrary<SimulationCommand> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("leave" as const), afterMs, node }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("restart" as const), afterMs, node }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("crash" as const),
      afterMs,
      node,
      silent: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("agree" as const), afterMs }) },
);

const calmCommands: fc.Arbitrary<SimulationCommand[]> = fc.array(ordinaryCommand, {
  minLength: 1,
  maxLength: 25,
  size: "max",
});

const stormyCommands: fc.Arbitrary<SimulationCommand[]> = fc.array(
  fc.oneof({ weight: 3, arbitrary: ordinaryCommand }, { weight: 1, arbitrary: disturbance }),
  { minLength: 1, maxLength: 30, size: "max" },
);

const rollingCommands: fc.Arbitrary<SimulationCommand[]> = fc.array(
  fc.oneof({ weight: 2, arbitrary: ordinaryCommand }, { weight: 1, arbitrary: comingAndGoing }),
  { minLength: 5, maxLength: 40, size: "max" },
);

const network: fc.Arbitrary<SimulatedNetworkPlan> = fc.record({
  minDelayMs: fc.constantFrom(0, 1, 2),
  maxDelayMs: fc.constantFrom(2, 10, 30),
  loseShare: often(0, 0.15),
  garbleShare: often(0, 0.1),
  duplicateShare: often(0, 0.2),
  maxLateMs: fc.constantFrom(5, 60),
});

const origin: fc.Arbitrary<SimulatedOriginPlan> = fc.record({
  maxDurationMs: fc.constantFrom(0, 5, 30, 90),
  failShare: often(0, 0.2),
  throwShare: often(0, 0.1),
  absentShare: often(0, 0.2),
  nonsenseShare: often(0, 0.05),
  hangShare: often(0, 0.1),
  deafShare: fc.constantFrom(0, 0.5, 1),
});

const policy: fc.Arbitrary<SimulatedPolicy> = fc.record({
  maxBytes: fc.oneof(
    { weight: 4, arbitrary: fc.constant(2 ** 20) },
    { weight: 1, arbitrary: fc.constantFrom(300, 700) },
  ),
  maxValueBytes: fc.constant(4096),
  ttlMs: fc.constantFrom(40, 150, 1000, 10_000, 3_600_000),
  ttlJitter: fc.constantFrom(0, 0, 0.5),
  staleWhileRevalidateMs: often(0, 50),
  staleIfErrorMs: often(0, 80),
  negativeTtlMs: often(0, 60),
  timeoutMs: fc.constantFrom(100, 200),
  hot: fc.oneof(
    { weight: 3, arbitrary: fc.constant({ minRatePerMinute: 0 }) },
    { weight: 1, arbitrary: fc.constant({ minRatePerMinute: 3 }) },
    { weight: 1, arbitrary: fc.constant(false as const) },
  ),
  onPeerFailure: fc.constantFrom("load" as const, "fail" as const),
});

const breakers: readonly NonNullable<SimulatedPolicy["originBreaker"]>[] = [
  {},
  false,
  { errorTtlMs: 20, maxErrorTtlMs: 100, failures: 2 },
];

function plans(commands: fc.Arbitrary<readonly SimulationCommand[]>): fc.Arbitrary<SimulationPlan> {
  const plan = fc.record({
    seed: fc.noShrink(fc.integer()),
    nodeCount: fc.integer({ min: 2, max: 4 }),
    isNew: fc.boolean(),
    surface: fc.constantFrom("group" as const, "source" as const),
    policy,
    network,
    origin,
    commands,
  });
  // Taken from the seed, so that a printed path leads to the same plan as before there was a breaker.
  return plan.map((drawn) => {
    const originBreaker = breakers[Math.abs(drawn.seed % breakers.length)] ?? false;
    return { ...drawn, policy: { ...drawn.policy, originBreaker } };
  });
}

/** Arbitrary of plans with a stable membership of reachable nodes, the conditions of I1. Messages are unreliable. */
export function calmPlans(): fc.Arbitrary<SimulationPlan> {
  return plans(calmCommands);
}

/** Arbitrary of plans in which nodes leave gracefully and restart, one or several at a time. */
export function rollingPlans(): fc.Arbitrary<SimulationPlan> {
  return plans(rollingCommands);
}

/** Arbitrary of plans in which nodes also crash, become unreachable and disagree about the membership. */
export function stormyPlans(): fc.Arbitrary<SimulationPlan> {
  return plans(stormyCommands);
}
