import {
  createGroupCache,
  type Group,
  type GroupCache,
  type GroupOptions,
} from "../src/group-cache.ts";
import { DirectNetwork } from "./direct-peers.ts";
import { SteppedClock } from "./stepped-clock.ts";
import { WaitingLoader } from "./waiting-loader.ts";

/** One node: its group `g`, and the loader that waits for the test. */
export interface GroupNode {
  readonly cache: GroupCache;
  readonly group: Group;
  readonly loader: WaitingLoader<string, string | undefined>;
}

export interface GroupCluster {
  readonly network: DirectNetwork;
  readonly clock: SteppedClock;
  node(id: string): GroupNode;
}

/** Nodes that hold the same group and reach each other directly, on one clock. No jitter. */
export function clusterOf(
  ids: readonly string[],
  options: Omit<GroupOptions, "load"> = {},
): GroupCluster {
  const network = new DirectNetwork(ids);
  const clock = new SteppedClock();
  const nodes = new Map<string, GroupNode>();
  for (const id of ids) {
    const cache = createGroupCache({ peers: network.picker(id), clock });
    const loader = new WaitingLoader<string, string | undefined>();
    const group = cache.group("g", { ttlJitter: 0, ...options, load: loader.load });
    nodes.set(id, { cache, group, loader });
  }
  return { network, clock, node: (id) => nodes.get(id) as GroupNode };
}
