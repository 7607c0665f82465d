import { expect } from "vitest";
import { until } from "../cluster/until.ts";
import { abc, deadlineMs, fetchesOf, type Scenario, withoutCopies } from "./scenario.ts";

export const join: Scenario = {
  name: "no request fails when a fourth node joins under load, with few fetches from the origin",
  policy: withoutCopies,
  async run({ cluster, origin, note }) {
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
    const { requests, failures, longestMs } = cluster.totals();
    const fetches = await fetchesOf(origin, load.keyPrefix);
    await note(
      `${requests} requests, slowest ${longestMs.toFixed(0)} ms; ${fetches} fetches of ${load.keyCount} keys; ` +
        `the new node has ${stats.main.items}, ${stats.warmLoads} of them from former owners`,
    );
    expect(failures).toEqual({});
    expect(longestMs).toBeLessThanOrEqual(deadlineMs);
    expect(stats.main.items).toBeGreaterThan(load.keyCount / 10);
    expect(fetches).toBeLessThanOrEqual(1.2 * load.keyCount);
  },
};
