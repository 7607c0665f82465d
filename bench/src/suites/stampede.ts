import {
  type AvailableTransport,
  BenchCluster,
  fetchesOf,
  withTransports,
} from "../clusters/bench-cluster.ts";
import { type Plan, scaled } from "../plan.ts";
import { type Row, Tally } from "../result.ts";

const originMs = 50;

/** Ten thousand callers on three processes ask for one cold key whose origin takes 50 ms. */
export async function stampede(plan: Plan): Promise<Row[]> {
  const tally = new Tally("stampede");
  await withTransports(plan, async (transports) => {
    const some = plan.smoke ? transports.slice(0, 1) : transports;
    for (const transport of some) await stampedeOver(transport, { tally, plan });
  });
  return tally.rows();
}

async function stampedeOver(
  transport: AvailableTransport,
  { tally, plan }: { readonly tally: Tally; readonly plan: Plan },
): Promise<void> {
  const { name, versions } = transport;
  const label = {
    case: "10,000 callers on three nodes, one cold key",
    subject: `parsec over ${name}`,
    versions,
  };
  const cluster = new BenchCluster(transport);
  try {
    await cluster.startAll(3, { keyCount: 0, originMs, keepsCopies: false, warmJoin: true });
    // The first stampede compiles the code and opens the connections.
    for (let run = plan.smoke ? 0 : -1; run < plan.runs; run++) {
      const before = await cluster.sendAll({ do: "report" });
      const callers = scaled(plan, 3_334);
      const after = await cluster.sendAll({ do: "stampede", key: `cold:${run}`, callers });
      if (run < 0) continue;
      const slowest = Math.max(...after.map(({ elapsedMs }) => elapsedMs));
      tally.add({ ...label, unit: "origin fetches" }, fetchesOf(after) - fetchesOf(before));
      tally.add(
        { ...label, unit: `ms for the slowest caller, with an origin of ${originMs} ms` },
        slowest,
      );
    }
  } finally {
    await cluster.close();
  }
}
