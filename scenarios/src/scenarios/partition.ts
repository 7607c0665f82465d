import { expect } from "vitest";
import { machineNow } from "../node/node-control.ts";
import { abc, deadlineMs, keysNamed, type Scenario, withCopies } from "./scenario.ts";

export const partition: Scenario = {
  name: "both sides of a partition serve, say whom an invalidation did not reach, and learn it all after the healing",
  policy: withCopies,
  isolating: true,
  async play({ cluster, note }) {
    const load = { keyPrefix: "partition-", keyCount: 120, callers: 24, pauseMs: 2 };
    const changed = keysNamed("partition-", 60);
    const many = ["a", "b"];
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
      expect(failed.toSorted()).toEqual(cluster.idsOf(many).toSorted());
    }
    await cluster.untilAnswered(abc, 1_000);
    await cluster.change("b", changed.slice(50));

    const healedAt = machineNow();
    cluster.heal();
    await cluster.untilAllReach(abc);
    await cluster.untilAllLearned(abc);
    const toldAt = machineNow();
    cluster.demand(
      cluster.changes.map((change) => ({
        ...change,
        resolvedAt: toldAt,
        acknowledged: cluster.idsOf(abc),
      })),
    );
    await cluster.untilAllAcknowledge("c", changed);
    await cluster.untilAnswered(abc, 1_000);
    await cluster.stopLoad();
    const { asked, failures, longestMs } = cluster.totals();
    await note(
      `${asked} requests, longest ${longestMs.toFixed(0)} ms; everything learned ${(toldAt - healedAt).toFixed(0)} ms after the healing`,
    );
    expect(failures).toEqual({});
    expect(longestMs).toBeLessThanOrEqual(deadlineMs);
    expect(cluster.staleReads()).toEqual([]);
  },
};
