import type { Peer, PeerAnswer, PeerLookup, PeerPicker } from "../../peer.ts";
import type { PeerSet } from "../picker/peer-set.ts";
import type { Workers } from "./workers.ts";

/**
 * The members of the cluster and the other workers of this node in one picker. A key of this node belongs to
 * one of its workers; this node leaves the cluster with its last one.
 */
export function joinWorkers(nodes: PeerSet, workers: Workers): Omit<PeerPicker, "attach"> {
  const { selfId } = nodes;
  return {
    ...nodes,
    get joining() {
      return workers.joining;
    },
    peers: () => [...nodes.peers(), ...workers.peers()],
    pick(key, without) {
      if (workers.isAlone) return nodes.pick(key, without);
      const isProcess = without === selfId || without?.startsWith(`${selfId}#`);
      const owner = nodes.pick(key, isProcess ? undefined : without);
      if (owner !== undefined) return owner;
      const worker = workers.pick(key, without);
      if (worker === undefined || without !== selfId) return worker;
      return successor(worker, nodes.pick(key, without));
    },
  };
}

/** The worker that would own a key without this process. Where it has no entry, as when all workers have just started, the node that owned the key before may have one. */
function successor(worker: Peer, formerNode: Peer | undefined): Peer {
  if (formerNode === undefined) return worker;
  return {
    ...worker,
    async lookup(lookup: PeerLookup, options): Promise<PeerAnswer> {
      const answer = await worker.lookup(lookup, options);
      return answer.missing ? await formerNode.lookup(lookup, options) : answer;
    },
  };
}
