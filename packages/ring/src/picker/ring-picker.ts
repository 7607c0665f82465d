import { ParsecError, type Peer, type PeerPicker } from "@parsec/core";
import type { Ring } from "../ring.ts";

/**
 * Creates a peer picker that places the keys of core's groups by the ring's table instead of the transport's own
 * placement: the owner of a key is the node that owns its partition. `peers` is the transport, whose ids must be
 * the names of the ring's nodes. Closing the picker closes `peers` and not the ring.
 */
export function createRingPicker(options: {
  readonly ring: Ring;
  readonly peers: PeerPicker;
}): PeerPicker {
  const { ring, peers } = options;
  if (peers.selfId !== ring.nodeId) {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `peers.selfId must be the name of the ring's node, ${JSON.stringify(ring.nodeId)}, got ${JSON.stringify(peers.selfId)}`,
    );
  }
  const known = new Map<string, Peer>();
  const find = (id: string): Peer => {
    let peer = known.get(id);
    // A transport creates new objects when its members change.
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
      // Without an owner each node loads for itself, as with an owner that is down.
      const owner = ring.nodesFor(key).find((id) => id !== without) ?? peers.selfId;
      return owner === peers.selfId ? undefined : find(owner);
    },
    updatePeers: (ids) => peers.updatePeers(ids),
    attach: (host) => peers.attach(host),
    warn: (warning) => peers.warn?.(warning),
    close: () => peers.close(),
  };
}

/** Stands for an owner that the transport does not list: behaves like an owner that is down. */
function unreachablePeer(id: string): Peer {
  const fail = (): Promise<never> => {
    const message = `${id} is unreachable: the ring lists it, but the transport does not`;
    return Promise.reject(new ParsecError("PEER_UNREACHABLE", message));
  };
  return { id, lookup: fail, invalidate: fail };
}
