import { setTimeout as delay } from "node:timers/promises";
import { type CacheCluster, type CacheNode, withCacheCluster } from "../clusters/cache-cluster.ts";
import { CacheProbe } from "../clusters/cache-probe-child.ts";
import { type Plan, scaled } from "../plan.ts";
import type { CacheProbeReport } from "../programs/cache-probe.ts";
import { addQuantiles, type Row, Tally } from "../result.ts";

/** Every third partition, because it is not known in advance which ones move to a joining node. */
const sample = Array.from({ length: 21 }, (_, at) => at * 3);
const newcomers = ["third", "fourth"] as const;
const quietMs = 500;

interface Scene {
  readonly cluster: CacheCluster;
  readonly probe: CacheProbe;
  readonly tally: Tally;
  /** The slowest answer of each partition, by the change it went through. */
  readonly slowestMs: Readonly<Record<"no change" | "join" | "leave", number[]>>;
  failed: number;
}

/**
 * Lets nodes join and leave under load, ten rounds regardless of `--runs`, and measures how long the callers of
 * a moving partition wait, and how many partitions move.
 */
export async function ringMoves(plan: Plan): Promise<Row[]> {
  const tally = new Tally("planned moves of the ring");
  await withCacheCluster({ ...plan, serverCore: undefined }, async (cluster) => {
    const [first, second] = await cluster.start("first", "second");
    const probe = await CacheProbe.start([first, second]);
    const slowestMs = { "no change": [], join: [], leave: [] };
    const scene: Scene = { cluster, probe, tally, slowestMs, failed: 0 };
    try {
      for (let round = 0; round < scaled(plan, 10); round++) await joinAndLeave(scene);
    } finally {
      await probe.end();
    }
    const { versions } = cluster;
    for (const [change, figures] of Object.entries(scene.slowestMs)) {
      const subject = `${change}, ${figures.length} partitions`;
      addQuantiles(tally, { subject, versions, case: "slowest answer", unit: "ms" }, figures);
    }
    const label = { subject: "all joins and leaves", versions };
    tally.add({ ...label, case: "failed requests", unit: "requests" }, scene.failed);
  });
  return tally.rows();
}

async function joinAndLeave(scene: Scene): Promise<void> {
  await scene.probe.watch(sample);
  await delay(quietMs);
  await note(scene, { change: "no change", partitions: sample });
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
  await note(scene, { change: "join", partitions });
  const label = { subject: `the ${id} node`, versions: cluster.versions };
  const named = { ...label, case: "partitions that a join moves, of 64", unit: "partitions" };
  tally.add(named, moved.length);
  return node;
}

async function leave(node: CacheNode, scene: Scene): Promise<void> {
  const partitions = await node.owned();
  await scene.probe.watch(partitions);
  await scene.cluster.leave(node);
  await note(scene, { change: "leave", partitions });
}

async function note(
  scene: Scene,
  of: { readonly change: keyof Scene["slowestMs"]; readonly partitions: readonly number[] },
): Promise<void> {
  const { slowestMs, failed }: CacheProbeReport = await scene.probe.report();
  scene.slowestMs[of.change].push(...of.partitions.map((at) => slowestMs[at] ?? Number.NaN));
  scene.failed += failed;
}
