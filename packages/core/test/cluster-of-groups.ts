import {
  createGroupCache,
  type Group,
  type GroupCache,
  type GroupOptions,
} from "../src/registry/group-cache.ts";
import { DirectNetwork, type DirectNetworkOptions } from "./direct-peers.ts";
import { SteppedClock } from "./stepped-clock.ts";
import { WaitingLoader } from "./waiting-loader.ts";

/** One node: its group `g`, and a loader that waits for the test. */
export interface GroupNode {
  readonly cache: GroupCache;
  readonly group: Group;
  readonly loader: WaitingLoader<string, string | undefined>;
}

export interface GroupCluster {
  readonly network: DirectNetwork;
  readonly clock: SteppedClock;
  node(id: string): GroupNode;
  /** Replaces the node with this id by an empty one. */
  restart(id: string): GroupNode;
}

/** Nodes with the same group that call each other directly, on one clock without jitter. */
export function clusterOf(
  ids: readonly string[],
  options: Omit<GroupOptions, "load"> = {},
  ring: DirectNetworkOptions = {},
): GroupCluster {
  const network = new DirectNetwork(ids, ring);
  const clock = new SteppedClock();
  const nodes = new Map<string, GroupNode>();
  const restart = (id: string): GroupNode => {
    const cache = createGroupCache({ peers: network.picker(id), clock });
    const loader = new WaitingLoader<string, string | undefined>();
    const group = cache.group("g", { ttlJitter: 0, ...options, load: loader.load });
    const node = { cache, group, loader };
    nodes.set(id, node);
    return node;
  };
  for (const id of ids) restart(id);
  return { network, clock, node: (id) => nodes.get(id) as GroupNode, restart };
}
