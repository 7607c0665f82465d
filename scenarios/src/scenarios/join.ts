import { expect } from "vitest";
import { until } from "../cluster/until.ts";
import { abc, deadlineMs, fetchesOf, type Scenario, withoutCopies } from "./scenario.ts";

export const join: Scenario = {
  name: "a fourth node that joins under load fails no request, and hardly asks the origin",
  policy: withoutCopies,
  async play({ cluster, origin, note }) {
    const load = { keyPrefix: "join-", keyCount: 800, callers: 24, pauseMs: 2 };
    const all = [...abc, "d"];
    await cluster.start(abc);
    await cluster.startLoad(abc, load);
    await until("every key was fetched", async () => {
      return (await origin.counts(load.keyPrefix)).length === load.keyCount;
    });
    await cluster.join("d");
    await cluster.startLoad(["d"], load);
    await cluster.untilAllReach(all);
    await cluster.untilAnswered(all, 2_000);
    const { stats } = await cluster.node("d").control.state();
    await cluster.stopLoad();
    const { asked, failures, longestMs } = cluster.totals();
    const fetches = await fetchesOf(origin, load.keyPrefix);
    await note(
      `${asked} requests, longest ${longestMs.toFixed(0)} ms; ${fetches} fetches of ${load.keyCount} keys; ` +
        `the new node has ${stats.main.items}, of which ${stats.warmLoads} from memories of others`,
    );
    expect(failures).toEqual({});
    expect(longestMs).toBeLessThanOrEqual(deadlineMs);
    expect(stats.main.items).toBeGreaterThan(load.keyCount / 10);
    expect(fetches).toBeLessThanOrEqual(1.2 * load.keyCount);
  },
};
