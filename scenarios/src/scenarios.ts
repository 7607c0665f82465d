import { setTimeout as pause } from "node:timers/promises";
import type { CachePolicy } from "@parsec/core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { Cluster } from "./cluster.ts";
import { durationsOf, percentiles } from "./figures.ts";
import { machineNow } from "./node-control.ts";
import { type Origin, startOrigin } from "./origin.ts";
import type { Ability, ScenarioTransport } from "./site.ts";
import { until } from "./until.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Folder with `node.js` and `origin.js`, built from the sources as they are now. */
    readonly scenarioPrograms: string;
  }
}

const abc = ["a", "b", "c"];
/** What a caller waits at most. */
const deadlineMs = 5_000;
/** No copies, so that every question about what another node owns goes over the wire. */
const withoutCopies: CachePolicy = { timeoutMs: deadlineMs, hot: false };
/** A copy of almost everything, so that there is as much as can be to be told of. */
const withCopies: CachePolicy = { timeoutMs: deadlineMs, hot: { minRatePerMinute: 1 } };
const checkerSeconds = Number(process.env.PARSEC_SCENARIO_SECONDS ?? 5);

interface Scene {
  readonly cluster: Cluster;
  readonly origin: Origin;
  /** Puts figures into the report of the test. */
  readonly note: (figures: string) => Promise<void>;
}

const keysNamed = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

async function fetchesOf(origin: Origin, prefix: string): Promise<number> {
  return (await origin.counts(prefix)).reduce((sum, { fetches }) => sum + fetches, 0);
}

/** Declares the scenarios; every transport passes the same ones. */
export function describeScenarios(transport: ScenarioTransport): void {
  describe(transport.name, () => {
    const programsFolder = inject("scenarioPrograms");
    let origin: Origin;
    beforeAll(async () => {
      origin = await startOrigin(programsFolder);
    });
    afterAll(() => origin?.close());

    const scenario = (
      name: string,
      options: {
        readonly policy: CachePolicy;
        readonly needs?: Ability;
        readonly isolating?: true;
      },
      play: (scene: Scene) => Promise<void>,
    ): void => {
      const { policy, needs, isolating = false } = options;
      const reason = needs && transport.cannot[needs];
      if (reason !== undefined) {
        it.skip(`${name}: ${reason}`);
        return;
      }
      it(name, async ({ annotate, onTestFinished }) => {
        const originUrl = origin.url;
        const site = await transport.open({ originUrl, programsFolder, policy, isolating });
        const cluster = new Cluster(site);
        onTestFinished(() => cluster.close());
        await play({ cluster, origin, note: async (figures) => void (await annotate(figures)) });
      });
    };

    scenario(
      "a rolling restart of three nodes under load fails no request, and hardly asks the origin",
      { policy: withoutCopies },
      async ({ cluster, origin, note }) => {
        const load = { keyPrefix: "rolling-", keyCount: 600, callers: 24, pauseMs: 2 };
        await cluster.start(abc);
        await cluster.startLoad(abc, load);
        await until("every key was fetched", async () => {
          return (await origin.counts(load.keyPrefix)).length === load.keyCount;
        });
        for (const name of abc) {
          // As a balancer does before it has an instance ended.
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
        const { asked, failures, longestMs } = cluster.totals();
        const fetches = await fetchesOf(origin, load.keyPrefix);
        await note(
          `${asked} requests, longest ${longestMs.toFixed(0)} ms; ${fetches} fetches of ${load.keyCount} keys`,
        );
        expect(failures).toEqual({});
        expect(longestMs).toBeLessThanOrEqual(deadlineMs);
        expect(fetches).toBeLessThanOrEqual(1.2 * load.keyCount);
      },
    );

    scenario(
      "a node that is killed at 512 requests at once fails none of them, and costs one fetch per key",
      { policy: withoutCopies },
      async ({ cluster, origin, note }) => {
        const load = { keyPrefix: "kill-", keyCount: 600, callers: 256, pauseMs: 0 };
        const survivors = ["a", "b"];
        await cluster.start(abc);
        await cluster.startLoad(survivors, load);
        await until("every key was fetched", async () => {
          return (await origin.counts(load.keyPrefix)).length === load.keyCount;
        });
        // Some are waited for while the node that fetches them dies.
        await origin.hold("held-kill-");
        const held = keysNamed("held-kill-", 90);
        const waiting = survivors.map((name) => cluster.node(name).control.get(held));
        await until("all of them are being fetched", async () => {
          return (await origin.counts("held-kill-")).length === held.length;
        });
        const killedAt = machineNow();
        await cluster.node("c").kill();
        await cluster.untilAllReach(survivors);
        const leftOutAfterMs = machineNow() - killedAt;
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
        const { asked, failures, longestMs } = cluster.totals();
        const counts = await origin.counts(load.keyPrefix);
        const again = counts.filter(({ fetches }) => fetches > 1).length;
        await note(
          `${asked} requests, longest ${longestMs.toFixed(0)} ms; left out after ${leftOutAfterMs.toFixed(0)} ms; ` +
            `${again} of ${load.keyCount} keys fetched again`,
        );
        expect(failures).toEqual({});
        expect(longestMs).toBeLessThanOrEqual(deadlineMs);
        // Once by the node that was killed, and once by whoever took its place.
        expect(Math.max(...counts.map(({ fetches }) => fetches))).toBeLessThanOrEqual(2);
        const heldCounts = await origin.counts("held-kill-");
        expect(Math.max(...heldCounts.map(({ fetches }) => fetches))).toBeLessThanOrEqual(2);
        const freshCounts = await origin.counts("after-kill-");
        expect(freshCounts.map(({ fetches }) => fetches)).toEqual(fresh.map(() => 1));
      },
    );

    scenario(
      `for ${checkerSeconds} s of reading and changing on three nodes, nothing stale is read`,
      { policy: withCopies },
      async ({ cluster, note }) => {
        const changers = { count: 2, pauseMs: 2 };
        const load = { keyPrefix: "stale-", keyCount: 24, callers: 12, pauseMs: 1, changers };
        await cluster.start(abc);
        await cluster.startLoad(abc, load);
        await pause(checkerSeconds * 1000);
        await cluster.stopLoad();
        const { asked, failures, longestMs } = cluster.totals();
        const { changes } = cluster;
        const complete = changes.filter(({ failed }) => failed.length === 0);
        await note(
          `${asked} reads, longest ${longestMs.toFixed(0)} ms; ${changes.length} changes, ${complete.length} ` +
            `acknowledged by all; invalidate ${percentiles(durationsOf(complete))}`,
        );
        expect(cluster.staleReads()).toEqual([]);
        expect(failures).toEqual({});
        expect(longestMs).toBeLessThanOrEqual(deadlineMs);
        expect(complete.length).toBeGreaterThan(50);
        await cluster.untilAllLearned(abc);
      },
    );
  });
}
