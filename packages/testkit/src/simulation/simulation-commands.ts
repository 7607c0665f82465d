import {
  type LiveNode,
  type SimulatedCluster,
  simulatedNodeId,
} from "./cluster/simulated-cluster.ts";
import { type SimulationCommand, simulatedKeys, simulatedTags } from "./plan/simulation-plan.ts";
import type { SimulatedCallers } from "./simulation-callers.ts";

/**
 * Performs one command. Every command is valid in every state and may have no effect, so that any command
 * can be removed from a plan.
 */
export function performCommand(
  command: SimulationCommand,
  on: { readonly cluster: SimulatedCluster; readonly callers: SimulatedCallers },
): void {
  const { cluster, callers } = on;
  const { nodeCount } = cluster.plan;
  const live = cluster.live();
  const nodeOf = (number: number): LiveNode => live[number % live.length] as LiveNode;
  switch (command.do) {
    case "get":
      callers.get(nodeOf(command.node), keyOf(command.key), command.abortAfterMs);
      break;
    case "getMany":
      callers.getMany(nodeOf(command.node), command.keys.map(keyOf));
      break;
    case "getUncached":
      callers.get(nodeOf(command.node), "");
      break;
    case "stampede":
      for (let round = 0; round < command.count; round++) {
        for (const node of live) callers.get(node, keyOf(command.key));
      }
      break;
    case "write":
      cluster.origin.write(keyOf(command.key));
      break;
    case "invalidate":
      callers.invalidate(nodeOf(command.node), { kind: "keys", keys: [keyOf(command.key)] });
      break;
    case "invalidateTag":
      callers.invalidate(nodeOf(command.node), { kind: "tag", tag: tagOf(command.tag) });
      break;
    case "invalidateAll":
      callers.invalidate(nodeOf(command.node), { kind: "all" });
      break;
    case "crash":
      // One node must keep running.
      if (live.length > 1) cluster.crash(nodeOf(command.node), command.silent);
      break;
    case "leave":
      if (live.length > 1) cluster.leave(nodeOf(command.node));
      break;
    case "restart":
      restartOne(cluster, command.node);
      break;
    case "cut":
      cluster.cut(command.node % nodeCount, command.other % nodeCount, command.silent);
      break;
    case "heal":
      cluster.heal();
      break;
    case "updatePeers": {
      const node = nodeOf(command.node);
      const ids = idsOfMask(command.members, nodeCount);
      cluster.updatePeers(node, ids.includes(node.id) ? ids : [...ids, node.id]);
      break;
    }
    case "agree":
      cluster.agree();
      break;
  }
}

function keyOf(number: number): string {
  return simulatedKeys[number % simulatedKeys.length] as string;
}

function tagOf(number: number): string {
  return simulatedTags[number % simulatedTags.length] as string;
}

function restartOne(cluster: SimulatedCluster, number: number): void {
  const up = new Set(cluster.live().map((node) => node.index));
  const all = Array.from({ length: cluster.plan.nodeCount }, (_, index) => index);
  const down = all.filter((index) => !up.has(index));
  const index = down[number % Math.max(1, down.length)];
  if (index !== undefined) cluster.restart(index);
}

/** Ids of the nodes whose bits are set in `mask`. */
function idsOfMask(mask: number, nodeCount: number): string[] {
  const all = Array.from({ length: nodeCount }, (_, index) => index);
  return all.filter((index) => mask & (1 << index)).map(simulatedNodeId);
}
