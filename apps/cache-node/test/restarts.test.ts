import { join } from "node:path";
import { describeOnOneServer } from "@parsec/nats-fixtures";
import { expect, test } from "vitest";
import { ask } from "./http-client.ts";
import { createNodeCluster, type NodeCluster } from "./node-cluster.ts";
import type { NodeProgram } from "./node-program.ts";
import { startRestartLoad } from "./restart-load.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/*
 * Nodes that restart one after the other, each ended in good order or killed as soon as the one before is ready: no
 * acknowledged write is lost, and no deleted key comes back.
 */

const isCampaign = process.env.PARSEC_CAMPAIGN === "1";
const rounds = isCampaign ? 50 : 2;
const timeoutMs = 60_000 + rounds * 15_000;

const [short, long] = [
  [
    { size: 2, isOnDisk: false },
    { size: 3, isOnDisk: true },
  ],
  [
    { size: 3, isOnDisk: false },
    { size: 2, isOnDisk: true },
  ],
];
const restarts = isCampaign ? [...short, ...long] : short;
const kills = isCampaign ? [...short, ...long] : [{ size: 3, isOnDisk: false }];

type End = (node: NodeProgram) => Promise<unknown>;

const inGoodOrder: End = async (node) => expect(await node.leave()).toBe(0);

/** Waits until the node says that the next one may be ended. */
async function ready(cluster: NodeCluster, id: string): Promise<void> {
  const url = cluster.nodes.get(id)?.url;
  await expect
    .poll(async () => (await ask(`${url}/health/ready`)).body)
    .toMatchObject({
      status: "ok",
    });
}

interface Restarts {
  readonly size: number;
  readonly isOnDisk: boolean;
  readonly end: End;
}

async function restartInTurn(natsUrl: string, { size, isOnDisk, end }: Restarts): Promise<void> {
  const folder = isOnDisk ? await temporaryFolder() : "";
  const cluster = createNodeCluster({
    natsUrl,
    args: (id) => (isOnDisk ? ["--persist", join(folder, id)] : []),
  });
  try {
    const ids = ["a", "b", "c"].slice(0, size);
    await Promise.all(ids.map((id) => cluster.start(id)));
    for (const id of ids) await ready(cluster, id);
    for (let round = 0; round < rounds; round++) {
      const load = startRestartLoad(cluster);
      await load.turns(20);
      const id = ids[round % size] as string;
      await end(cluster.nodes.get(id) as NodeProgram);
      await cluster.start(id);
      await ready(cluster, id);
      await load.stop();
      expect(await load.wrong()).toEqual([]);
    }
    for (const { program } of cluster.nodes.values()) {
      expect(program.stdout()).not.toContain("all copies of a partition were lost");
    }
  } finally {
    await cluster.close();
  }
}

describeOnOneServer((server) => {
  test.each(restarts)(
    `nothing is lost in ${rounds} restarts in good order: %o`,
    (each) => restartInTurn(server.url, { ...each, end: inGoodOrder }),
    timeoutMs,
  );

  test.each(kills)(
    `nothing is lost in ${rounds} kills: %o`,
    (each) => restartInTurn(server.url, { ...each, end: (node) => node.kill() }),
    timeoutMs,
  );

  test(
    "nothing is lost when nodes restart without any wait",
    async () => {
      const cluster = createNodeCluster({ natsUrl: server.url });
      try {
        await Promise.all(["a", "b"].map((id) => cluster.start(id)));
        await ready(cluster, "b");
        await cluster.fill(100);
        for (let round = 0; round < rounds; round++) {
          expect(await cluster.nodes.get("a")?.leave()).toBe(0);
          const started = cluster.start("a");
          // It leaves while the other one still starts.
          expect(await cluster.nodes.get("b")?.leave()).toBe(0);
          await Promise.all([started, cluster.start("b")]);
          await ready(cluster, "b");
        }
        expect(await cluster.missing(100)).toEqual([]);
      } finally {
        await cluster.close();
      }
    },
    timeoutMs,
  );

  test("a node whose data no other node takes says how much is lost, and fails", async () => {
    const cluster = createNodeCluster({
      natsUrl: server.url,
      args: () => ["--leave-seconds", "1"],
    });
    const node = await cluster.start("a");
    await cluster.fill(10);
    expect(await node.leave()).toBe(1);
    expect(node.program.stdout()).toMatch(/"entries":10,.*their entries are lost/);
  });
});
