import { expect } from "vitest";
import { machineNow } from "../node/node-control.ts";
import { abc, deadlineMs, keysNamed, type Scenario, withCopies } from "./scenario.ts";

export const standstill: Scenario = {
  name: "a node that stands still holds up nobody beyond the deadline, and is told what it missed when it goes on",
  policy: withCopies,
  needs: "pause",
  async play({ cluster, note }) {
    const load = { keyPrefix: "standstill-", keyCount: 120, callers: 24, pauseMs: 2 };
    const changed = keysNamed("standstill-", 60);
    const others = ["a", "b"];
    const [stopped] = cluster.idsOf(["c"]);
    await cluster.start(abc);
    await cluster.startLoad(abc, load);
    await cluster.untilAnswered(abc, 1_000);
    await cluster.stopLoad(["c"]);
    const stoppedAt = machineNow();
    cluster.node("c").pause();
    // Some at once, when nobody knows yet that it does not answer, and some when everybody knows.
    const early = await Promise.all([
      cluster.change("a", changed.slice(0, 15)),
      cluster.change("b", changed.slice(15, 30)),
    ]);
    await cluster.untilAllReach(others);
    const leftOutAfterMs = machineNow() - stoppedAt;
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
    await cluster.untilAllLearned(abc);
    const toldAt = machineNow();
    // From now on it is bound by what it was told, too.
    cluster.demand(
      cluster.changes.map((change) => ({
        ...change,
        resolvedAt: toldAt,
        acknowledged: cluster.idsOf(["c"]),
      })),
    );
    await cluster.untilAllAcknowledge("a", changed);
    await cluster.untilAnswered(abc, 1_000);
    await cluster.stopLoad();
    const { asked, failures, longestMs } = cluster.totals();
    await note(
      `${asked} requests, longest ${longestMs.toFixed(0)} ms; left out after ${leftOutAfterMs.toFixed(0)} ms`,
    );
    expect(failures).toEqual({});
    expect(longestMs).toBeLessThanOrEqual(deadlineMs);
    expect(cluster.staleReads()).toEqual([]);
  },
};
