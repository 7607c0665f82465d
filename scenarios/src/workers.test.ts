import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { findStaleReads } from "./cluster/stale-reads.ts";
import { until } from "./cluster/until.ts";
import { type Origin, startOrigin } from "./origin/origin.ts";
import { freePorts } from "./sites/free-ports.ts";
import { startWorkerNode, type WorkerNode, type WorkerProcess } from "./sites/worker-node.ts";

/* Nodes of several processes behind one port, as run by `node:cluster`. */

const programs = inject("programs");
const isCampaign = process.env.PARSEC_CAMPAIGN === "1";
const keys = Array.from({ length: 100 }, (_, index) => `key ${index}`);
let origin: Origin;
beforeAll(async () => {
  origin = await startOrigin(programs);
});
afterAll(() => origin.close());

/** A node with its running processes. */
interface Host {
  readonly node: WorkerNode;
  readonly workers: WorkerProcess[];
}

describe.each(["http", "grpc"] as const)("processes behind one port over %s", (kind) => {
  /** Starts nodes, each with its workers side by side. */
  async function startHosts(workerCounts: readonly number[]): Promise<readonly Host[]> {
    const runtime = await mkdtemp(join(tmpdir(), "parsec-"));
    const ports = await freePorts(workerCounts.length);
    const peerUrls = ports.map((port) => `${kind === "http" ? "http://" : ""}127.0.0.1:${port}`);
    const hosts = await Promise.all(
      peerUrls.map(async (selfUrl, index) => {
        const transport = { kind, selfUrl, peerUrls };
        const settings = { transport, originUrl: origin.url, policy: {}, routes: {} };
        const node = await startWorkerNode(settings, { programs, runtime });
        onTestFinished(() => node.close());
        const starting = Array.from({ length: workerCounts[index] ?? 0 }, () => node.start());
        return { node, workers: await Promise.all(starting) };
      }),
    );
    onTestFinished(() => rm(runtime, { recursive: true, force: true }));
    return hosts;
  }

  function keysOf(prefix: string): string[] {
    return keys.map((key) => `${prefix} ${key}`);
  }

  async function getInAll(workers: readonly WorkerProcess[], wanted: string[]): Promise<unknown[]> {
    return (await Promise.all(workers.map(({ control }) => control.get(wanted)))).flat();
  }

  async function fetchesOf(prefix: string): Promise<Record<string, number>> {
    const counts = await origin.counts(prefix);
    return Object.fromEntries(counts.map(({ key, fetches }) => [key, fetches]));
  }

  function oneFetchOf(wanted: readonly string[]): Record<string, number> {
    return Object.fromEntries(wanted.map((key) => [key, 1]));
  }

  test("fetch each key once, also under a stampede on all of them (I1)", async () => {
    const [host] = await startHosts([4]);
    const wanted = keysOf(`${kind} stampede`);
    const outcomes = await getInAll(host?.workers ?? [], wanted);
    expect(new Set(outcomes)).toEqual(new Set([1]));
    expect(await fetchesOf(`${kind} stampede`)).toEqual(oneFetchOf(wanted));
  });

  test("fetch each key once as two nodes of three workers each (I1)", async () => {
    const hosts = await startHosts([3, 3]);
    const wanted = keysOf(`${kind} nodes`);
    await getInAll(
      hosts.flatMap(({ workers }) => workers),
      wanted,
    );
    expect(await fetchesOf(`${kind} nodes`)).toEqual(oneFetchOf(wanted));
  });

  test("serve nothing older than an acknowledged invalidation (I2)", async () => {
    const hosts = await startHosts([3, 2]);
    const workers = hosts.flatMap((host) => host.workers);
    const plan = {
      keyPrefix: `${kind} changes `,
      keyCount: 20,
      callers: 4,
      pauseMs: 0,
      changers: { count: 2, pauseMs: 1 },
    };
    await Promise.all(workers.map(({ control }) => control.startLoad(plan)));
    await until("100 changes", async () => {
      const reports = await Promise.all(workers.map(({ control }) => control.loadSoFar()));
      return reports.reduce((sum, { changes }) => sum + changes.length, 0) >= 100;
    });
    const reports = await Promise.all(workers.map(({ control }) => control.stopLoad()));
    const changes = reports.flatMap((report) => report.changes);
    expect(changes.flatMap(({ failed }) => failed)).toEqual([]);
    // Without a failure, every process acknowledged.
    const acknowledged = changes.map((change) => ({ ...change, acknowledged: ["any"] }));
    for (const { reads, failures } of reports) {
      expect(failures).toEqual({});
      expect(findStaleReads(new Map([["any", reads]]), acknowledged)).toEqual([]);
    }
  });

  // The workers know nothing of the transport between nodes, so one is enough in a short run.
  if (kind !== "http" && !isCampaign) return;

  test("take over the keys of one that was killed, without failures", async () => {
    const [host] = await startHosts([3]);
    const [killed, ...others] = host?.workers ?? [];
    const wanted = keysOf(`${kind} killed`);
    await getInAll(host?.workers ?? [], wanted);
    await killed?.kill("SIGKILL");
    const [change] = (await others[0]?.control.change(wanted.slice(0, 1))) ?? [];
    expect(change).toMatchObject({ version: 2, failed: [] });
    const outcomes = await getInAll(others, wanted);
    expect(outcomes.filter((outcome) => outcome === 2)).toHaveLength(2);
    expect(outcomes.filter((outcome) => outcome === 1)).toHaveLength(2 * (wanted.length - 1));
    for (const { fetches } of await origin.counts(`${kind} killed`)) {
      expect(fetches).toBeLessThanOrEqual(2);
    }
  });

  test("keep what they have fetched while they are restarted one after the other", async () => {
    const [host] = await startHosts([3]);
    const wanted = keysOf(`${kind} rolling`);
    let running = host?.workers ?? [];
    await getInAll(running, wanted);
    for (let round = 0; round < 4; round++) {
      const [oldest, ...others] = running;
      await oldest?.leave();
      running = [...others, (await host?.node.start()) as WorkerProcess];
      const outcomes = await getInAll(running, wanted);
      expect(new Set(outcomes)).toEqual(new Set([1]));
    }
    const total = (await origin.counts(`${kind} rolling`)).reduce(
      (sum, one) => sum + one.fetches,
      0,
    );
    expect(total).toBeLessThan(wanted.length * 1.2);
  });

  test("name one that is stopped as failed, and none is stale when it continues", async () => {
    const [host] = await startHosts([3]);
    const [stopped, ...others] = host?.workers ?? [];
    const wanted = keysOf(`${kind} stopped`);
    await getInAll(host?.workers ?? [], wanted);
    await stopped?.kill("SIGSTOP");
    const [change] = (await others[0]?.control.change(wanted.slice(0, 1))) ?? [];
    expect(change?.failed).toEqual([expect.stringContaining("#worker-")]);
    expect(await getInAll(others, wanted.slice(0, 1))).toEqual([2, 2]);
    await stopped?.kill("SIGCONT");
    await until("the stopped worker serves the new value", async () => {
      const [outcome] = (await stopped?.control.get(wanted.slice(0, 1))) ?? [];
      return outcome === 2;
    });
  });
});
