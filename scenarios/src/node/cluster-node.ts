import {
  type CachePolicy,
  createDataSourceClusterRegistry,
  isParsecError,
  type Peer,
  type PeerPicker,
} from "@parsec/core";
import { changeAtOrigin, fetchFromOrigin } from "../origin/origin-requests.ts";
import { Load } from "./load.ts";
import {
  type Change,
  machineNow,
  type NodeControl,
  type NodeState,
  type Outcome,
} from "./node-control.ts";

export interface ClusterNodeOptions {
  readonly peers: PeerPicker;
  /** Whether the circuit breaker of a peer is open. */
  readonly isDown: (peer: Peer) => boolean;
  readonly originUrl: string;
  readonly policy: CachePolicy;
}

/** Creates a node with one data source, as an application does; the same over every transport. */
export function createClusterNode(options: ClusterNodeOptions): NodeControl {
  const { peers, isDown, originUrl, policy } = options;
  const registry = createDataSourceClusterRegistry({ peers });
  const values = registry.register(
    {
      name: "values",
      cacheKey: (key: string) => key,
      fetch: (key, { signal }) => fetchFromOrigin(originUrl, { key, signal }),
    },
    policy,
  );
  let load: Load | undefined;

  const get = async (key: string): Promise<Outcome> => {
    try {
      const value = await values.get(key);
      return value?.key === key ? value.version : "WRONG_VALUE";
    } catch (error) {
      return isParsecError(error) ? error.code : String(error);
    }
  };
  const change = async (key: string): Promise<Change> => {
    const version = await changeAtOrigin(originUrl, key);
    const beganAt = machineNow();
    const { acknowledged, failed } = await values.invalidate(key);
    const resolvedAt = machineNow();
    const tookMs = resolvedAt - beganAt;
    const failedIds = failed.map(({ peerId }) => peerId);
    return { key, version, resolvedAt, tookMs, acknowledged, failed: failedIds };
  };
  const stopLoad: NodeControl["stopLoad"] = async () => {
    if (load === undefined) throw new Error("stopLoad and loadSoFar need a load; start one first");
    const stopping = load;
    load = undefined;
    return await stopping.stop();
  };
  return {
    get: (keys) => Promise.all(keys.map(get)),
    change: (keys) => Promise.all(keys.map(change)),
    updatePeers: async (ids) => registry.updatePeers(ids),
    async startLoad(plan) {
      if (load !== undefined) throw new Error("startLoad must be called once before stopLoad");
      load = new Load(plan, { get, change });
    },
    async loadSoFar() {
      if (load === undefined)
        throw new Error("stopLoad and loadSoFar need a load; start one first");
      return load.report();
    },
    stopLoad,
    state: async (): Promise<NodeState> => {
      const others = peers.peers().filter((peer) => !isDown(peer));
      return {
        reachable: [peers.selfId, ...others.map(({ id }) => id)].sort(),
        stats: values.stats(),
      };
    },
    async close() {
      if (load !== undefined) await stopLoad();
      await registry.close();
    },
  };
}
