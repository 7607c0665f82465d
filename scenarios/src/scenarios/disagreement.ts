import { expect } from "vitest";
import { abc, deadlineMs, fetchesOf, type Scenario, withCopies } from "./scenario.ts";

export const disagreement: Scenario = {
  name: "nodes with different member lists forward no request, and serve nothing older than an invalidation that all acknowledged",
  policy: withCopies,
  async run({ cluster, origin, note }) {
    const load = { keyPrefix: "disagreement-", keyCount: 300, callers: 24, pauseMs: 2 };
    await cluster.start(abc);
    await cluster.setMembers(["b"], ["a", "b"]);
    await cluster.startLoad(abc, load);
    await cluster.untilAnswered(abc, 3_000);
    await cluster.stopLoad();
    // A node that is asked as the owner fetches the value itself: at most one fetch per node.
    const fetches = await fetchesOf(origin, load.keyPrefix);
    const counts = await origin.counts(load.keyPrefix);
    expect(Math.max(...counts.map((count) => count.fetches))).toBeLessThanOrEqual(abc.length);
    const states = await Promise.all(abc.map((name) => cluster.node(name).control.state()));
    const served = states.reduce((sum, { stats }) => sum + stats.serverRequests, 0);
    expect(served).toBeLessThanOrEqual(cluster.totals().requests);

    const changers = { count: 1, pauseMs: 5 };
    await cluster.startLoad(abc, { ...load, keyCount: 60, changers });
    await cluster.untilAnswered(abc, 3_000);
    await cluster.setMembers(["b"], abc);
    await cluster.untilAllReach(abc);
    await cluster.untilAnswered(abc, 1_000);
    await cluster.stopLoad();
    await cluster.untilAllServeNewest(abc);
    const { requests, failures, longestMs } = cluster.totals();
    const complete = cluster.changes.filter(({ acknowledged }) => acknowledged.length === 3);
    await note(
      `${requests} requests, slowest ${longestMs.toFixed(0)} ms; ${fetches} fetches of ${load.keyCount} keys ` +
        `while nothing changed; ${cluster.changes.length} changes, ${complete.length} acknowledged by all`,
    );
    expect(failures).toEqual({});
    expect(longestMs).toBeLessThanOrEqual(deadlineMs);
    expect(complete.length).toBeGreaterThan(10);
    expect(complete.length).toBeLessThan(cluster.changes.length);
    expect(cluster.staleReads()).toEqual([]);
  },
};
