import { expect } from "vitest";
import { machineNow } from "../node/node-control.ts";
import { abc, deadlineMs, keysNamed, type Scenario, withCopies } from "./scenario.ts";

export const partition: Scenario = {
  name: "both sides of a partition serve, report nodes that an invalidation did not reach, and receive it after the partition",
  policy: withCopies,
  isolating: true,
  async run({ cluster, note }) {
    const load = { keyPrefix: "partition-", keyCount: 120, callers: 24, pauseMs: 2 };
    const changed = keysNamed("partition-", 60);
    const majority = ["a", "b"];
    await cluster.start(abc);
    await cluster.startLoad(abc, load);
    await cluster.untilAnswered(abc, 1_000);

    cluster.isolate("c");
    const [here, there] = await Promise.all([
      cluster.change("a", changed.slice(0, 30)),
      cluster.change("c", changed.slice(20, 50)),
    ]);
    for (const { failed } of here) expect(failed).toEqual(cluster.idsOf(["c"]));
    for (const { failed } of there) {
      expect(failed.toSorted()).toEqual(cluster.idsOf(majority).toSorted());
    }
    await cluster.untilAnswered(abc, 1_000);
    await cluster.change("b", changed.slice(50));

    const healedAt = machineNow();
    cluster.heal();
    await cluster.untilAllReach(abc);
    await cluster.untilAllServeNewest(abc);
    const caughtUpAt = machineNow();
    cluster.expectServed(
      cluster.changes.map((change) => ({
        ...change,
        resolvedAt: caughtUpAt,
        acknowledged: cluster.idsOf(abc),
      })),
    );
    await cluster.untilAllAcknowledge("c", changed);
    await cluster.untilAnswered(abc, 1_000);
    await cluster.stopLoad();
    const { requests, failures, longestMs } = cluster.totals();
    await note(
      `${requests} requests, slowest ${longestMs.toFixed(0)} ms; all invalidations delivered ${(caughtUpAt - healedAt).toFixed(0)} ms after the end of the partition`,
    );
    expect(failures).toEqual({});
    expect(longestMs).toBeLessThanOrEqual(deadlineMs);
    expect(cluster.staleReads()).toEqual([]);
  },
};
