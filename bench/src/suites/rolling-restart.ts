import {
  type AvailableTransport,
  BenchCluster,
  pairsOf,
  withTransports,
} from "../clusters/bench-cluster.ts";
import { type Plan, scaled } from "../plan.ts";
import type { ClusterNodeReport } from "../programs/cluster-node.ts";
import { type Row, Tally } from "../result.ts";

interface Way {
  readonly name: string;
  readonly warmJoin: boolean;
  readonly handOverMs?: number;
}

const ways: readonly Way[] = [
  { name: "defaults", warmJoin: true },
  { name: "handOverMs 0", warmJoin: true, handOverMs: 0 },
  { name: "handOverMs 0 and without warm join", warmJoin: false, handOverMs: 0 },
];

/**
 * Restarts three nodes that hold all keys, one after the other and under load, and counts how often the
 * origin is asked again for keys that the cluster held.
 */
export async function rollingRestart(plan: Plan): Promise<Row[]> {
  const tally = new Tally("rolling restart of three nodes under load");
  await withTransports(plan, async (transports) => {
    for (let run = 0; run < plan.runs; run++) {
      for (const [transport, way] of pairsOf(transports, { ways, plan })) {
        await restartOver(transport, { tally, plan, way });
      }
    }
  });
  return tally.rows();
}

async function restartOver(
  transport: AvailableTransport,
  how: { readonly tally: Tally; readonly plan: Plan; readonly way: Way },
): Promise<void> {
  const { name, ...nodeOptions } = how.way;
  const keyCount = scaled(how.plan, 3_000);
  const settings = { keyCount, originMs: 2, keepsCopies: false, ...nodeOptions };
  const label = {
    subject: `parsec over ${transport.name}, ${name}`,
    versions: transport.versions,
  };
  const cluster = new BenchCluster(transport);
  try {
    const members = await cluster.startAll(3, settings);
    await cluster.sendAll({ do: "read" });
    const { fetches: before } = sumOf(await cluster.sendAll({ do: "load", callers: 16 }));

    const lastReports: ClusterNodeReport[] = [];
    for (const id of members) {
      const last = await cluster.leave(id);
      lastReports.push(last);
      await cluster.sendAll({ do: "read" });
      const back = await cluster.start(id, { ...settings, members });
      await back.send({ do: "load", callers: 16 });
      await cluster.sendAll({ do: "reach", id });
      await cluster.sendAll({ do: "read" });
    }
    const { fetches, failed } = sumOf([
      ...lastReports,
      ...(await cluster.sendAll({ do: "report" })),
    ]);
    const slowestMs = Math.max(...lastReports.map(({ elapsedMs }) => elapsedMs));
    const perKey = (fetches - before) / keyCount;
    how.tally.add({ ...label, case: "origin loads per key", unit: "loads" }, perKey);
    how.tally.add({ ...label, case: "failed requests", unit: "requests" }, failed);
    how.tally.add({ ...label, case: "slowest of three closes", unit: "ms" }, slowestMs);
  } finally {
    await cluster.close();
  }
}

function sumOf(reports: readonly ClusterNodeReport[]): {
  readonly fetches: number;
  readonly failed: number;
} {
  const sum = { fetches: 0, failed: 0 };
  for (const { fetches, failed } of reports) {
    sum.fetches += fetches;
    sum.failed += failed;
  }
  return sum;
}
