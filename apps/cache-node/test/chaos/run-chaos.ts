import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  checkLinearizable,
  checkSingleOwner,
  createSeededRandom,
  type LinearizabilityReport,
  type OwnershipViolation,
} from "@parsec/testkit";
import { type ChaosClusterOptions, startChaosCluster } from "./chaos-cluster.ts";
import { type FaultMeasures, type FaultRecord, measureFaults } from "./fault-measures.ts";
import type { FaultName, FaultScene } from "./faults.ts";
import { playFault } from "./play-fault.ts";
import { startRegisterClients } from "./register-clients.ts";

export interface ChaosPlan extends ChaosClusterOptions {
  readonly seed: number;
  readonly faults: readonly FaultName[];
  /** Whether the ring is to be at rest before and after each fault: true unless it can never be. */
  readonly isWhole?: boolean;
  readonly clientCount?: number;
  readonly keyCount?: number;
  readonly restMs?: number;
  /** Whether clients remove keys, too: true by default. */
  readonly hasDeletes?: boolean;
  /** How many operations are acknowledged before the first fault: 50 by default. */
  readonly firstCount?: number;
}

/** What came of it. */
export interface ChaosReport {
  readonly history: LinearizabilityReport;
  readonly twoOwners: readonly OwnershipViolation[];
  /** Answers that should never come. */
  readonly surprises: readonly string[];
  readonly acknowledged: number;
  readonly failures: Readonly<Record<string, number>>;
  /** Answers that owners gave and callers accepted. */
  readonly served: number;
  readonly measures: readonly FaultMeasures[];
  /** One line for each fault, in order. */
  readonly story: readonly string[];
}

const nodeIds = ["a", "b", "c"];

function tell({ name, struckAtMs, mendedAtMs, restedAtMs }: FaultRecord): string {
  const [mendedMs, restedMs] = [mendedAtMs - struckAtMs, restedAtMs - mendedAtMs].map(Math.round);
  return `${name}: ${mendedMs} ms, at rest ${restedMs} ms later`;
}

/** PARSEC_CHAOS_KEEP=<folder> leaves there what a fault can be traced by. */
async function keepTraces(
  { cluster, clients }: Pick<FaultScene, "cluster" | "clients">,
  story: readonly string[],
): Promise<void> {
  const parent = process.env.PARSEC_CHAOS_KEEP;
  if (parent === undefined) return;
  const folder = join(parent, String(Date.now()));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "story.txt"), story.join("\n"));
  await writeFile(join(folder, "nodes.log"), await cluster.logs());
  await writeFile(join(folder, "notes.json"), JSON.stringify(await cluster.notes()));
  await writeFile(join(folder, "history.json"), JSON.stringify(clients.history));
}

/**
 * Has three nodes serve clients while one fault after the other is done to them, the ring at rest again
 * before each; then reads everything once more, and holds what was seen against what one register would
 * have shown, and one owner at a time.
 */
export async function runChaos(plan: ChaosPlan): Promise<ChaosReport> {
  const { seed, clientCount = 6, keyCount = 48, restMs = 10, isWhole = true } = plan;
  const { hasDeletes = true, firstCount = 50 } = plan;
  const cluster = await startChaosCluster(nodeIds, plan);
  const clients = startRegisterClients({
    nodes: cluster.nodes,
    random: createSeededRandom(seed),
    clientCount,
    keyCount,
    restMs,
    hasDeletes,
  });
  const scene = { cluster, clients, random: createSeededRandom(~seed) };
  const records: FaultRecord[] = [];
  try {
    if (isWhole) await cluster.settled();
    await clients.proceed(firstCount);
    for (const name of plan.faults) records.push(await playFault(name, scene));
    await clients.proceed(50);
    await clients.stop();
    await clients.readAll();
    const { history } = clients;
    const notes = await cluster.notes();
    return {
      history: checkLinearizable(history),
      twoOwners: checkSingleOwner(
        notes.map(({ atMs, ...note }) => ({ ...note, servedFrom: atMs, servedTo: atMs })),
      ),
      surprises: clients.surprises,
      acknowledged: clients.acknowledged,
      failures: Object.fromEntries(clients.failures),
      served: notes.length,
      measures: measureFaults(records, { history, notes }),
      story: records.map(tell),
    };
  } catch (error) {
    const failures = JSON.stringify([...clients.failures]);
    const before = records.map(tell).join("; ") || "no fault";
    const during = plan.faults[records.length] ?? "the end";
    throw new Error(
      `seed ${seed}, after ${before}, in ${during}, failures ${failures}: ${String(error)}`,
      { cause: error },
    );
  } finally {
    await keepTraces(scene, records.map(tell));
    await clients.stop();
    await cluster.close();
  }
}
