import {
  type AvailableTransport,
  BenchCluster,
  withTransports,
} from "../clusters/bench-cluster.ts";
import { type Plan, scaled } from "../plan.ts";
import { type Row, Tally } from "../result.ts";

/**
 * Three processes hold the same keys, and one of them invalidates each key on all: measures the time until no
 * process serves the old value.
 */
export async function invalidation(plan: Plan): Promise<Row[]> {
  const tally = new Tally("invalidation on three nodes");
  await withTransports(plan, async (transports) => {
    for (let run = 0; run < plan.runs; run++) {
      for (const transport of transports) await invalidateOver(transport, { tally, plan });
    }
  });
  return tally.rows();
}

async function invalidateOver(
  transport: AvailableTransport,
  { tally, plan }: { readonly tally: Tally; readonly plan: Plan },
): Promise<void> {
  const cluster = new BenchCluster(transport);
  try {
    const keyCount = scaled(plan, 5_000);
    await cluster.startAll(3, { keyCount, originMs: 0, keepsCopies: true, warmJoin: true });
    // The first round is a warm-up and is not counted.
    for (const [round, callers] of [64, 1, 64].entries()) {
      const timesMs = await oneRound(cluster, { keyCount, callers });
      if (round === 0) continue;
      const { name, versions } = transport;
      const how = callers === 1 ? "one at a time" : `${callers} at once`;
      for (const [figure, ms] of figuresOf(timesMs)) {
        const label = { case: `${how}, ${figure}`, unit: "ms", versions };
        tally.add({ ...label, subject: `parsec over ${name}` }, ms);
      }
    }
  } finally {
    await cluster.close();
  }
}

async function oneRound(
  cluster: BenchCluster,
  { keyCount, callers }: { readonly keyCount: number; readonly callers: number },
): Promise<readonly number[]> {
  await cluster.sendAll({ do: "read" });
  for (const { held } of await cluster.sendAll({ do: "report" })) {
    if (held !== keyCount) throw new Error(`a node holds ${held} of ${keyCount} keys`);
  }
  const [invalidating] = cluster.nodes;
  const { timesMs = [] } = (await invalidating?.send({ do: "invalidate", callers })) ?? {};
  for (const { held } of await cluster.sendAll({ do: "report" })) {
    if (held !== 0) throw new Error(`a node still holds ${held} keys`);
  }
  return timesMs;
}

function figuresOf(timesMs: readonly number[]): (readonly [string, number])[] {
  const sorted = [...timesMs].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return [
    ["p50", at(0.5)],
    ["p99", at(0.99)],
    ["max", at(1)],
  ];
}
