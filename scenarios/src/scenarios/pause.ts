import { expect } from "vitest";
import { machineNow } from "../node/node-control.ts";
import { abc, deadlineMs, keysNamed, type Scenario, withCopies } from "./scenario.ts";

export const pauseNode: Scenario = {
  name: "a paused node delays no request beyond its timeout, and receives missed invalidations when it continues",
  policy: withCopies,
  needs: "pause",
  async run({ cluster, note }) {
    const load = { keyPrefix: "pause-", keyCount: 120, callers: 24, pauseMs: 2 };
    const changed = keysNamed("pause-", 60);
    const others = ["a", "b"];
    const [stopped] = cluster.idsOf(["c"]);
    await cluster.start(abc);
    await cluster.startLoad(abc, load);
    await cluster.untilAnswered(abc, 1_000);
    await cluster.stopLoad(["c"]);
    const stoppedAt = machineNow();
    cluster.node("c").pause();
    // Some changes before the circuit breakers open, and some after.
    const early = await Promise.all([
      cluster.change("a", changed.slice(0, 15)),
      cluster.change("b", changed.slice(15, 30)),
    ]);
    await cluster.untilAllReach(others);
    const downAfterMs = machineNow() - stoppedAt;
    const late = await Promise.all([
      cluster.change("a", changed.slice(30, 45)),
      cluster.change("b", changed.slice(45)),
    ]);
    for (const { acknowledged } of [...early, ...late].flat()) {
      expect(acknowledged.toSorted()).toEqual(cluster.idsOf(others).toSorted());
    }
    for (const { failed } of early.flat()) expect(failed).toEqual([stopped]);
    await cluster.untilAnswered(others, 1_000);

    cluster.node("c").resume();
    await cluster.startLoad(["c"], load);
    await cluster.untilAllReach(abc);
    await cluster.untilAllServeNewest(abc);
    const caughtUpAt = machineNow();
    // From now on the paused node must serve these versions as well.
    cluster.expectServed(
      cluster.changes.map((change) => ({
        ...change,
        resolvedAt: caughtUpAt,
        acknowledged: cluster.idsOf(["c"]),
      })),
    );
    await cluster.untilAllAcknowledge("a", changed);
    await cluster.untilAnswered(abc, 1_000);
    await cluster.stopLoad();
    const { requests, failures, longestMs } = cluster.totals();
    await note(
      `${requests} requests, slowest ${longestMs.toFixed(0)} ms; circuit breakers opened after ${downAfterMs.toFixed(0)} ms`,
    );
    expect(failures).toEqual({});
    expect(longestMs).toBeLessThanOrEqual(deadlineMs);
    expect(cluster.staleReads()).toEqual([]);
  },
};
