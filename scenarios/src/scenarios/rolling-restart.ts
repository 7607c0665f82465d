import { expect } from "vitest";
import { until } from "../cluster/until.ts";
import { abc, deadlineMs, fetchesOf, type Scenario, withoutCopies } from "./scenario.ts";

export const rollingRestart: Scenario = {
  name: "no request fails in a rolling restart of three nodes under load, with few fetches from the origin",
  policy: withoutCopies,
  run: async ({ cluster, origin, note }) => {
    const load = { keyPrefix: "rolling-", keyCount: 600, callers: 24, pauseMs: 2 };
    await cluster.start(abc);
    await cluster.startLoad(abc, load);
    await until("every key was fetched", async () => {
      return (await origin.counts(load.keyPrefix)).length === load.keyCount;
    });
    for (const name of abc) {
      // A load balancer stops traffic before an instance is stopped.
      await cluster.stopLoad([name]);
      await cluster.node(name).leave();
      await cluster.untilAnswered(
        abc.filter((other) => other !== name),
        1_000,
      );
      await cluster.startOne(name);
      await cluster.startLoad([name], load);
      await cluster.untilAnswered(abc, 1_000);
    }
    await cluster.stopLoad();
    const { requests, failures, longestMs } = cluster.totals();
    const fetches = await fetchesOf(origin, load.keyPrefix);
    await note(
      `${requests} requests, slowest ${longestMs.toFixed(0)} ms; ${fetches} fetches of ${load.keyCount} keys`,
    );
    expect(failures).toEqual({});
    expect(longestMs).toBeLessThanOrEqual(deadlineMs);
    expect(fetches).toBeLessThanOrEqual(1.2 * load.keyCount);
  },
};
