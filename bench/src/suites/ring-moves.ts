import { setTimeout as delay } from "node:timers/promises";
import { type CacheCluster, type CacheNode, withCacheCluster } from "../cache-cluster.ts";
import { CacheProbe } from "../cache-probe-child.ts";
import { type Plan, scaled } from "../plan.ts";
import type { CacheProbeReport } from "../programs/cache-probe.ts";
import { addQuantiles, type Row, Tally } from "../result.ts";

/** Nobody knows beforehand which will move to a node that joins. */
const sample = Array.from({ length: 21 }, (_, at) => at * 3);
const newcomers = ["third", "fourth"] as const;
const quietMs = 500;

interface Scene {
  readonly cluster: CacheCluster;
  readonly probe: CacheProbe;
  readonly tally: Tally;
  /** How long each partition kept somebody waiting, by what happened to it. */
  readonly slowestMs: Readonly<Record<"nothing happens" | "join" | "leave", number[]>>;
  failed: number;
}

/**
 * Nodes join and leave under load: how long a partition that moves keeps its callers waiting, and how many
 * move. So many rounds, whatever `--runs` says.
 */
export async function ringMoves(plan: Plan): Promise<Row[]> {
  const tally = new Tally("planned moves of the ring");
  await withCacheCluster({ ...plan, servingCore: undefined }, async (cluster) => {
    const [first, second] = await cluster.start("first", "second");
    const probe = await CacheProbe.start([first, second]);
    const slowestMs = { "nothing happens": [], join: [], leave: [] };
    const scene: Scene = { cluster, probe, tally, slowestMs, failed: 0 };
    try {
      for (let round = 0; round < scaled(plan, 10); round++) await joinAndLeave(scene);
    } finally {
      await probe.end();
    }
    const { versions } = cluster;
    for (const [what, figures] of Object.entries(scene.slowestMs)) {
      const subject = `${what}, ${figures.length} partitions`;
      addQuantiles(tally, { subject, versions, case: "slowest answer", unit: "ms" }, figures);
    }
    const label = { subject: "all joins and leaves", versions };
    tally.add({ ...label, case: "requests that failed", unit: "requests" }, scene.failed);
  });
  return tally.rows();
}

async function joinAndLeave(scene: Scene): Promise<void> {
  await scene.probe.watch(sample);
  await delay(quietMs);
  await note(scene, { what: "nothing happens", partitions: sample });
  const joined: CacheNode[] = [];
  for (const id of newcomers) joined.push(await join(id, scene));
  for (const node of joined.reverse()) await leave(node, scene);
}

async function join(id: (typeof newcomers)[number], scene: Scene): Promise<CacheNode> {
  const { cluster, probe, tally } = scene;
  await probe.watch(sample);
  const [node] = await cluster.start(id);
  const moved = await node.owned();
  const partitions = sample.filter((partition) => moved.includes(partition));
  await note(scene, { what: "join", partitions });
  const label = { subject: `the ${id} node`, versions: cluster.versions };
  const named = { ...label, case: "partitions of 64 that a join moves", unit: "partitions" };
  tally.add(named, moved.length);
  return node;
}

async function leave(node: CacheNode, scene: Scene): Promise<void> {
  const partitions = await node.owned();
  await scene.probe.watch(partitions);
  await scene.cluster.leave(node);
  await note(scene, { what: "leave", partitions });
}

async function note(
  scene: Scene,
  of: { readonly what: keyof Scene["slowestMs"]; readonly partitions: readonly number[] },
): Promise<void> {
  const { slowestMs, failed }: CacheProbeReport = await scene.probe.report();
  scene.slowestMs[of.what].push(...of.partitions.map((at) => slowestMs[at] ?? Number.NaN));
  scene.failed += failed;
}
