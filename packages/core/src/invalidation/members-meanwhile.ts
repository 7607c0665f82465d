import type { Peer } from "../peer.ts";

/**
 * The nodes that were members at any time during one invalidation. A member that is removed and comes back meanwhile
 * belongs to them, although no round of the invalidation may have found it.
 */
export class MembersMeanwhile implements Iterable<Peer> {
  readonly #peers: Map<string, Peer>;

  constructor(peers: Iterable<Peer>) {
    this.#peers = new Map(Array.from(peers, (peer) => [peer.id, peer]));
  }

  add(peer: Peer): void {
    this.#peers.set(peer.id, peer);
  }

  [Symbol.iterator](): Iterator<Peer> {
    return this.#peers.values();
  }
}
