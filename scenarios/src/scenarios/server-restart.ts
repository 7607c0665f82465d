import { expect } from "vitest";
import type { Cluster } from "../cluster/cluster.ts";
import { until } from "../cluster/until.ts";
import { machineNow } from "../node/node-control.ts";
import type { Origin } from "../origin/origin.ts";
import { abc, deadlineMs, keysNamed, type Scenario, withoutCopies } from "./scenario.ts";

export const serverRestart: Scenario = {
  name: "nodes serve requests while the server between them is down, and find each other when it is back",
  policy: withoutCopies,
  needs: "server restart",
  async run({ transport, cluster, origin, note }) {
    const load = { keyPrefix: "server-restart-", keyCount: 300, callers: 24, pauseMs: 2 };
    await cluster.start(abc);
    await cluster.startLoad(abc, load);
    await cluster.untilAnswered(abc, 1_000);
    const recoveriesMs: string[] = [];
    for (let times = 1; times <= 2; times++) {
      await transport.server?.stop();
      await cluster.untilAnswered(abc, 1_000);
      await transport.server?.start();
      const startedAt = machineNow();
      await untilOneFetchEach(cluster, origin, `server-restart-fresh-${times}-`);
      recoveriesMs.push((machineNow() - startedAt).toFixed(0));
    }
    await cluster.untilAllAcknowledge("a", keysNamed(load.keyPrefix, 30));
    await cluster.untilAnswered(abc, 1_000);
    await cluster.stopLoad();
    const { requests, failures, longestMs } = cluster.totals();
    await note(
      `${requests} requests, slowest ${longestMs.toFixed(0)} ms; one fetch per key ${recoveriesMs.join(" and ")} ms after the start`,
    );
    expect(failures).toEqual({});
    expect(longestMs).toBeLessThanOrEqual(deadlineMs);
    expect(cluster.staleReads()).toEqual([]);
  },
};

/** Waits until new keys are fetched once, although every node gets them. */
async function untilOneFetchEach(
  cluster: Cluster,
  origin: Origin,
  keyPrefix: string,
): Promise<void> {
  let round = 0;
  await until("all nodes together fetch each key once", async () => {
    const prefix = `${keyPrefix}${round++}-`;
    const keys = keysNamed(prefix, 30);
    await Promise.all(abc.map((name) => cluster.node(name).control.get(keys)));
    return (await origin.counts(prefix)).every(({ fetches }) => fetches === 1);
  });
}
