import { expect } from "vitest";
import { until } from "../cluster/until.ts";
import { machineNow } from "../node/node-control.ts";
import { abc, deadlineMs, keysNamed, type Scenario, withoutCopies } from "./scenario.ts";

export const kill: Scenario = {
  name: "no request fails when a node is killed under 512 concurrent requests, with one more fetch per key",
  policy: withoutCopies,
  run: async ({ cluster, origin, note }) => {
    const load = { keyPrefix: "kill-", keyCount: 600, callers: 256, pauseMs: 0 };
    const survivors = ["a", "b"];
    await cluster.start(abc);
    await cluster.startLoad(survivors, load);
    await until("every key was fetched", async () => {
      return (await origin.counts(load.keyPrefix)).length === load.keyCount;
    });
    // Some fetches are in flight when their node is killed.
    await origin.hold("held-kill-");
    const held = keysNamed("held-kill-", 90);
    const waiting = survivors.map((name) => cluster.node(name).control.get(held));
    await until("all of them are being fetched", async () => {
      return (await origin.counts("held-kill-")).length === held.length;
    });
    const killedAt = machineNow();
    await cluster.node("c").kill();
    await cluster.untilAllReach(survivors);
    const downAfterMs = machineNow() - killedAt;
    await origin.release();
    for (const outcomes of await Promise.all(waiting)) {
      expect(outcomes).toEqual(held.map(() => 1));
    }
    await cluster.untilAnswered(survivors, 5_000);
    const fresh = keysNamed("after-kill-", 200);
    for (const outcomes of await Promise.all(
      survivors.map((name) => cluster.node(name).control.get(fresh)),
    )) {
      expect(outcomes).toEqual(fresh.map(() => 1));
    }
    await cluster.stopLoad();
    const { requests, failures, longestMs } = cluster.totals();
    const counts = await origin.counts(load.keyPrefix);
    const again = counts.filter(({ fetches }) => fetches > 1).length;
    await note(
      `${requests} requests, slowest ${longestMs.toFixed(0)} ms; circuit breakers opened after ${downAfterMs.toFixed(0)} ms; ` +
        `${again} of ${load.keyCount} keys fetched again`,
    );
    expect(failures).toEqual({});
    expect(longestMs).toBeLessThanOrEqual(deadlineMs);
    // Once by the killed node, and once by its fallback owner.
    expect(Math.max(...counts.map(({ fetches }) => fetches))).toBeLessThanOrEqual(2);
    const heldCounts = await origin.counts("held-kill-");
    expect(Math.max(...heldCounts.map(({ fetches }) => fetches))).toBeLessThanOrEqual(2);
    const freshCounts = await origin.counts("after-kill-");
    expect(freshCounts.map(({ fetches }) => fetches)).toEqual(fresh.map(() => 1));
  },
};
