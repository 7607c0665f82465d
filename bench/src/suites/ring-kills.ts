import { setTimeout as delay } from "node:timers/promises";
import { withCacheCluster } from "../cache-cluster.ts";
import { CacheProbe } from "../cache-probe-child.ts";
import { type Plan, scaled } from "../plan.ts";
import { addQuantiles, type Row, Tally } from "../result.ts";

/** A third of a lease, as the ring renews it by default. */
const renewalMs = 600;

/**
 * One of three nodes is killed, again and again: from SIGKILL to the first read and the first write of its
 * partitions, by way of the others. So many kills, whatever `--runs` says.
 */
export async function ringKills(plan: Plan): Promise<Row[]> {
  const kills = scaled(plan, 30);
  const tally = new Tally("SIGKILL of one of three nodes");
  await withCacheCluster({ ...plan, servingCore: undefined }, async (cluster) => {
    const [first, second] = await cluster.start("first", "second");
    const probe = await CacheProbe.start([first, second]);
    const afterMs = { "first read": [] as number[], "first write": [] as number[] };
    try {
      for (let kill = 0; kill < kills; kill++) {
        const [victim] = await cluster.start("victim");
        await probe.watch(await victim.owned());
        // At any moment between two renewals of its lease, which decides how long the others wait.
        await delay(Math.random() * renewalMs);
        const { readAfterMs, writtenAfterMs } = await probe.kill(victim);
        afterMs["first read"].push(...readAfterMs);
        afterMs["first write"].push(...writtenAfterMs);
        await cluster.leave(victim);
      }
    } finally {
      await probe.end();
    }
    for (const [what, figures] of Object.entries(afterMs)) {
      const label = { subject: `${what}, ${kills} kills`, versions: cluster.versions };
      addQuantiles(tally, { ...label, case: "served again", unit: "ms" }, figures);
    }
  });
  return tally.rows();
}
