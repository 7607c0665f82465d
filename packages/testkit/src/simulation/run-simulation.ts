import type { Placement } from "@parsec/core/transport";
import { settlePromises } from "../settle-promises.ts";
import { createSimulatedCluster, type SimulatedCluster } from "./cluster/simulated-cluster.ts";
import type { SimulationHistory } from "./history/simulation-history.ts";
import { createPlacementMemory } from "./placement-memory.ts";
import { type SimulationPlan, simulatedKeys } from "./plan/simulation-plan.ts";
import { createSimulatedCallers, type SimulatedCallers } from "./simulation-callers.ts";
import { performCommand } from "./simulation-commands.ts";

/** When a node is no longer new. */
const warmAfterMs = 60_001;

/** A message that was lost before is noticed after 5 s at most, and sent again within 5 s more. */
const learnedAfterMs = 12_000;

/** What several runs may share. */
export interface RunSimulationOptions {
  /** Spreads keys over nodes. Defaults to core's `"slots"`. */
  readonly place?: (ids: readonly string[]) => Placement;
}

/**
 * Runs a plan from start to close on a virtual clock and returns what happened. The same plan
 * always gives the same history.
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
  askEverywhere(cluster, callers);
  cluster.heal();
  await cluster.clock.run(longestWaitMs(plan));
  askEverywhere(cluster, callers);
  await cluster.clock.run(longestWaitMs(plan));
  await makePeace(cluster);
  askEverywhere(cluster, callers);
  await cluster.clock.run(longestWaitMs(plan));
  samplePeaks(cluster);
  takeAccounts(cluster);
  await cluster.close();
  // Nobody is there to hear what is still on its way.
  await cluster.clock.run(plan.network.maxDelayMs + plan.network.maxLateMs);
  cluster.history.timersLeft = cluster.clock.pendingCount;
  return cluster.history;
}

/** Lets all nodes reach one another until each has told the others what they missed. */
async function makePeace(cluster: SimulatedCluster): Promise<void> {
  cluster.makeReliable();
  cluster.agree();
  await cluster.clock.run(learnedAfterMs);
  cluster.history.peace = cluster.recorder.now();
}

/** After so long without a request, every message has arrived and every load is over. */
function longestWaitMs(plan: SimulationPlan): number {
  const { network, origin, policy } = plan;
  const messageMs = 2 * network.maxDelayMs + network.maxLateMs;
  // A late copy of a lookup may start one more load when everything else is over.
  return 2 * (policy.timeoutMs + messageMs) + origin.maxDurationMs + 2;
}

/** Asks every node for every key: what was stored wrongly comes to light. */
function askEverywhere(cluster: SimulatedCluster, callers: SimulatedCallers): void {
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

function takeAccounts(cluster: SimulatedCluster): void {
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
