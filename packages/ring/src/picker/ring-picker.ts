import { ParsecError, type Peer, type PeerPicker } from "@parsec/core";
import type { Ring } from "../ring.ts";

/**
 * Places the keys of core's groups by the ring's table instead of by the transport's own placement, so
 * that a group's owner is the node that owns the key's partition. `peers` reaches the nodes: its ids must
 * be the names of the ring's nodes. Closing it closes `peers`, and leaves the ring alone.
 */
export function createRingPicker(options: {
  readonly ring: Ring;
  readonly peers: PeerPicker;
}): PeerPicker {
  const { ring, peers } = options;
  if (peers.selfId !== ring.nodeId) {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `the ring calls this node ${JSON.stringify(ring.nodeId)}, and its peers ${JSON.stringify(peers.selfId)}`,
    );
  }
  const known = new Map<string, Peer>();
  const find = (id: string): Peer => {
    let peer = known.get(id);
    // A transport makes other objects when its members change.
    if (peer === undefined || !peers.peers().includes(peer)) {
      peer = peers.peers().find((each) => each.id === id);
      if (peer === undefined) known.delete(id);
      else known.set(id, peer);
    }
    return peer ?? unreachablePeer(id);
  };
  return {
    selfId: peers.selfId,
    peers: () => peers.peers(),
    pick(key, without) {
      // Nobody owns it at the moment: whoever is asked loads for itself, as with an owner that is down.
      const owner = ring.nodesFor(key).find((id) => id !== without) ?? peers.selfId;
      return owner === peers.selfId ? undefined : find(owner);
    },
    updatePeers: (ids) => peers.updatePeers(ids),
    attach: (host) => peers.attach(host),
    close: () => peers.close(),
  };
}

/** The ring knows the owner, and the transport does not: the same as an owner that is down. */
function unreachablePeer(id: string): Peer {
  const fail = (): Promise<never> => {
    const message = `${id} cannot be asked: the ring names it, but the transport does not know it`;
    return Promise.reject(new ParsecError("PEER_UNREACHABLE", message));
  };
  return { id, lookup: fail, invalidate: fail };
}
