import { setTimeout as delay } from "node:timers/promises";
import { withCacheCluster } from "../clusters/cache-cluster.ts";
import { CacheProbe } from "../clusters/cache-probe-child.ts";
import { type Plan, scaled } from "../plan.ts";
import { addQuantiles, type Row, Tally } from "../result.ts";

/** The ring's default: it renews a lease after a third of its duration. */
const renewalMs = 600;

/**
 * Kills one of three nodes, 30 times regardless of `--runs`, and measures the time from SIGKILL to the first
 * read and the first write of each of its partitions through the other nodes.
 */
export async function ringKills(plan: Plan): Promise<Row[]> {
  const kills = scaled(plan, 30);
  const tally = new Tally("SIGKILL of one of three nodes");
  await withCacheCluster({ ...plan, serverCore: undefined }, async (cluster) => {
    const [first, second] = await cluster.start("first", "second");
    const probe = await CacheProbe.start([first, second]);
    const afterMs = { "first read": [] as number[], "first write": [] as number[] };
    try {
      for (let kill = 0; kill < kills; kill++) {
        const [victim] = await cluster.start("victim");
        await probe.watch(await victim.owned());
        // A random moment between two lease renewals, because it decides how long the other nodes wait.
        await delay(Math.random() * renewalMs);
        const { readAfterMs, writtenAfterMs } = await probe.kill(victim);
        afterMs["first read"].push(...readAfterMs);
        afterMs["first write"].push(...writtenAfterMs);
        await cluster.leave(victim);
      }
    } finally {
      await probe.end();
    }
    for (const [operation, figures] of Object.entries(afterMs)) {
      const label = { subject: `${operation}, ${kills} kills`, versions: cluster.versions };
      addQuantiles(tally, { ...label, case: "served again", unit: "ms" }, figures);
    }
  });
  return tally.rows();
}
