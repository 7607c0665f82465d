import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import { durationsOf, percentiles } from "./figures.ts";
import { abc, deadlineMs, type Scenario, withCopies } from "./scenario.ts";

const { PARSEC_SCENARIO_SECONDS, PARSEC_CAMPAIGN } = process.env;
const seconds = Number(PARSEC_SCENARIO_SECONDS ?? (PARSEC_CAMPAIGN === "1" ? 60 : 4));

export const readingAndChanging: Scenario = {
  name: `no stale read in ${seconds} s of reads and changes on three nodes`,
  policy: withCopies,
  timeoutMs: seconds * 1000 + 60_000,
  run: async ({ cluster, note }) => {
    const changers = { count: 2, pauseMs: 2 };
    const load = { keyPrefix: "stale-", keyCount: 24, callers: 12, pauseMs: 1, changers };
    await cluster.start(abc);
    await cluster.startLoad(abc, load);
    await pause(seconds * 1000);
    await cluster.stopLoad();
    const { requests, failures, longestMs } = cluster.totals();
    const { changes } = cluster;
    const complete = changes.filter(({ failed }) => failed.length === 0);
    await note(
      `${requests} reads, slowest ${longestMs.toFixed(0)} ms; ${changes.length} changes, ${complete.length} ` +
        `acknowledged by all; invalidate ${percentiles(durationsOf(complete))}`,
    );
    expect(cluster.staleReads()).toEqual([]);
    expect(failures).toEqual({});
    expect(longestMs).toBeLessThanOrEqual(deadlineMs);
    expect(complete.length).toBeGreaterThan(50);
    await cluster.untilAllServeNewest(abc);
  },
};
