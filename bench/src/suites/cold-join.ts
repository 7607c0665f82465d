import {
  type AvailableTransport,
  BenchCluster,
  fetchesOf,
  pairsOf,
  withTransports,
} from "../clusters/bench-cluster.ts";
import { type Plan, scaled } from "../plan.ts";
import { type Row, Tally } from "../result.ts";

const originMs = 2;

/**
 * Counts the origin loads when a fourth node joins three that hold all keys: with a warm join, in which it asks
 * the former owners of its keys, and without.
 */
export async function coldJoin(plan: Plan): Promise<Row[]> {
  const tally = new Tally("a fourth node joins three");
  await withTransports(plan, async (transports) => {
    for (let run = 0; run < plan.runs; run++) {
      for (const [transport, warmJoin] of pairsOf(transports, { ways: [true, false], plan })) {
        await joinOver(transport, { tally, plan, warmJoin });
      }
    }
  });
  return tally.rows();
}

async function joinOver(
  transport: AvailableTransport,
  how: { readonly tally: Tally; readonly plan: Plan; readonly warmJoin: boolean },
): Promise<void> {
  const { tally, plan, warmJoin } = how;
  const cluster = new BenchCluster(transport);
  try {
    const keyCount = scaled(plan, 10_000);
    const settings = { keyCount, originMs, keepsCopies: false, warmJoin };
    const three = await cluster.startAll(3, settings);
    await cluster.sendAll({ do: "read" });
    const before = await cluster.sendAll({ do: "report" });

    const members = [...three, ...(await cluster.newIds(1))];
    const joined = await cluster.start(members.at(-1) ?? "", { ...settings, members });
    await cluster.sendAll({ do: "members", members });
    const after = await cluster.sendAll({ do: "read" });
    const { owned } = await joined.send({ do: "report" });
    if (owned === 0) throw new Error("no key moved to the fourth node");

    const loads = fetchesOf(after) - fetchesOf(before);
    const label = {
      subject: `parsec over ${transport.name}, ${warmJoin ? "warm join" : "without warm join"}`,
      versions: transport.versions,
    };
    const moved = { ...label, case: "keys that moved to the fourth node", unit: "keys" };
    tally.add({ ...label, case: "origin loads", unit: "loads" }, loads);
    tally.add({ ...label, case: "origin loads per moved key", unit: "loads" }, loads / owned);
    tally.add(moved, owned);
  } finally {
    await cluster.close();
  }
}
