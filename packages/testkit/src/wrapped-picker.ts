import type { Peer, PeerPicker } from "@parsec/core";

/** A picker whose peers are those of `picker`, each wrapped once; everything else goes through unchanged. */
export function createWrappedPicker(
  picker: PeerPicker,
  wrapPeer: (peer: Peer) => Peer,
): PeerPicker {
  const wrapped = new WeakMap<Peer, Peer>();
  const wrap = (peer: Peer): Peer => {
    let known = wrapped.get(peer);
    if (known === undefined) {
      known = wrapPeer(peer);
      wrapped.set(peer, known);
    }
    return known;
  };
  return {
    selfId: picker.selfId,
    peers: () => picker.peers().map(wrap),
    pick(key, without) {
      const owner = picker.pick(key, without);
      return owner && wrap(owner);
    },
    updatePeers: (ids) => picker.updatePeers(ids),
    attach: (host) => picker.attach(host),
    warn: (warning) => picker.warn?.(warning),
    close: () => picker.close(),
  };
}
