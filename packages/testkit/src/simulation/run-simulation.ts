import type { Placement } from "@parsec/core/transport";
import { createPlacementMemory } from "../memory-transport/placement-memory.ts";
import { settlePromises } from "../settle-promises.ts";
import { createSimulatedCluster, type SimulatedCluster } from "./cluster/simulated-cluster.ts";
import type { SimulationHistory } from "./history/simulation-history.ts";
import { type SimulationPlan, simulatedKeys } from "./plan/simulation-plan.ts";
import { createSimulatedCallers, type SimulatedCallers } from "./simulation-callers.ts";
import { performCommand } from "./simulation-commands.ts";

/** Age at which a node is not new any more. */
const warmAfterMs = 60_001;

/** A lost invalidation is detected within 5 s and retried within 5 s more. */
const learnedAfterMs = 12_000;

/** Options of {@link runSimulation}, for series of runs. */
export interface RunSimulationOptions {
  /** Creates the placement of keys on these nodes. Defaults to core's `"slots"`. */
  readonly place?: (ids: readonly string[]) => Placement;
}

/**
 * Runs the cluster of a plan from start to close on a virtual clock and returns the history of all
 * events, for `checkHistory`. The same plan gives the same history.
 */
export async function runSimulation(
  plan: SimulationPlan,
  options: RunSimulationOptions = {},
): Promise<SimulationHistory> {
  const place = options.place ?? createPlacementMemory();
  const cluster = createSimulatedCluster(plan, place);
  const callers = createSimulatedCallers(cluster);
  if (!plan.isNew) await cluster.clock.run(warmAfterMs);
  for (const command of plan.commands) {
    await cluster.clock.run(command.afterMs);
    performCommand(command, { cluster, callers });
    callers.peekEverywhere(simulatedKeys);
    samplePeaks(cluster);
  }
  await settlePromises();
  getEverywhere(cluster, callers);
  cluster.heal();
  await cluster.clock.run(longestWaitMs(plan));
  getEverywhere(cluster, callers);
  await cluster.clock.run(longestWaitMs(plan));
  await makePeace(cluster);
  getEverywhere(cluster, callers);
  await cluster.clock.run(longestWaitMs(plan));
  samplePeaks(cluster);
  recordAccounts(cluster);
  await cluster.close();
  // Messages that are still in flight have no receivers.
  await cluster.clock.run(plan.network.maxDelayMs + plan.network.maxLateMs);
  cluster.history.timersLeft = cluster.clock.pendingCount;
  return cluster.history;
}

/** Makes all nodes reachable until missed invalidations are delivered. */
async function makePeace(cluster: SimulatedCluster): Promise<void> {
  cluster.makeReliable();
  cluster.agree();
  await cluster.clock.run(learnedAfterMs);
  cluster.history.peace = cluster.recorder.now();
}

/** Time without requests after which every message has arrived and every load has ended. */
function longestWaitMs(plan: SimulationPlan): number {
  const { network, origin, policy } = plan;
  const messageMs = 2 * network.maxDelayMs + network.maxLateMs;
  // A late copy of a lookup may start one more load at the end.
  return 2 * (policy.timeoutMs + messageMs) + origin.maxDurationMs + 2;
}

/** Gets every key from every node, to detect wrong values in memory. */
function getEverywhere(cluster: SimulatedCluster, callers: SimulatedCallers): void {
  callers.peekEverywhere(simulatedKeys);
  for (const node of cluster.live()) for (const key of simulatedKeys) callers.get(node, key);
}

function samplePeaks(cluster: SimulatedCluster): void {
  const { peakBytes } = cluster.history;
  for (const node of cluster.live()) {
    const { main, hot } = node.handle.stats();
    const bytes = main.bytes + hot.bytes;
    if (bytes > (peakBytes.get(node.ref) ?? 0)) peakBytes.set(node.ref, bytes);
  }
}

function recordAccounts(cluster: SimulatedCluster): void {
  for (const node of cluster.live()) {
    const stats = node.handle.stats();
    cluster.history.accounts.push({
      node: node.ref,
      gets: stats.gets,
      cacheHits: stats.cacheHits,
      loads: stats.loads,
      flights: stats.flights,
      loadsDeduped: stats.loadsDeduped,
      peerLoads: stats.peerLoads,
      peerErrors: stats.peerErrors,
      warmLoads: stats.warmLoads,
      localLoads: stats.localLoads,
      localLoadErrs: stats.localLoadErrs,
      serverRequests: stats.serverRequests,
      evictions: stats.main.evictions + stats.hot.evictions,
      mainItems: stats.main.items,
      ownedKeys: simulatedKeys.filter((key) => node.owns(key)).length,
    });
  }
}
