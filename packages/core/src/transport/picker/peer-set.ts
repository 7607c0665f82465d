import { FollowedPeers } from "../../discovery/followed-peers.ts";
import type { PeerDiscovery } from "../../discovery/peer-discovery.ts";
import { ParsecError } from "../../errors.ts";
import type { Peer, PeerPicker } from "../../peer.ts";
import { createPlacement } from "../../placement/create-placement.ts";
import type { Placement, PlacementName } from "../../placement/placement.ts";
import type { PeerHealthChange } from "../health/peer-health.ts";
import type { PeerWarning } from "./peer-options.ts";

/** A peer as a {@link PeerSet} holds it. */
export interface ManagedPeer extends Peer {
  /** Accepts no more calls, lets those under way finish for a while, and frees the connections. */
  close(): Promise<void>;
  /** The same for a peer that is not a member any more. Defaults to `close`. */
  remove?(): Promise<void>;
}

/** The members of the cluster, a connection to each, and the owner of each key. */
export interface PeerSet<P extends ManagedPeer = ManagedPeer> extends Omit<PeerPicker, "attach"> {
  peers(): readonly P[];
  pick(key: string, without?: string): P | undefined;
  /** The member of this id; undefined for this node and for strangers. */
  get(id: string): P | undefined;
}

/** What a {@link PeerSet} is made of. */
export interface PeerSetOptions<P extends ManagedPeer> {
  readonly selfId: string;
  /** Every node to begin with, this one included. */
  readonly ids: readonly string[];
  readonly placement: PlacementName;
  /** Changes the members until `updatePeers` is called. */
  readonly discovery: PeerDiscovery | undefined;
  /** Checks members that come later. Throws `INVALID_ARGUMENT`. */
  readonly checkIds: (ids: readonly string[]) => readonly string[];
  readonly createPeer: (id: string, onChange: (change: PeerHealthChange) => void) => P;
  readonly onWarning: (warning: PeerWarning) => void;
}

/** The picker of a transport, but for `attach`: connects to members that come, and lets go of those that leave. */
export function createPeerSet<P extends ManagedPeer>(options: PeerSetOptions<P>): PeerSet<P> {
  const members = new Members(options);
  const { discovery, onWarning, selfId } = options;
  const followed = new FollowedPeers(members, {
    discovery,
    onWarning: (message) => onWarning({ kind: "discovery", peerId: selfId, message }),
  });
  return {
    selfId,
    peers: () => members.peers(),
    pick: (key, without) => members.pick(key, without),
    get: (id) => members.get(id),
    updatePeers: (ids) => followed.updatePeers(ids),
    async close() {
      await Promise.all([followed.close(), members.close()]);
    },
  };
}

class Members<P extends ManagedPeer> {
  readonly selfId: string;
  readonly #options: PeerSetOptions<P>;
  #placement: Placement;
  #peers: ReadonlyMap<string, P> = new Map();
  /** Peers that were removed and finish what they were asked. */
  readonly #leaving: Set<Promise<void>> = new Set();
  #closed = false;

  constructor(options: PeerSetOptions<P>) {
    this.#options = options;
    this.selfId = options.selfId;
    this.#placement = createPlacement(options.placement, options.ids);
    this.#connect(options.ids);
  }

  peers(): readonly P[] {
    return [...this.#peers.values()];
  }

  pick(key: string, without?: string): P | undefined {
    return this.#peers.get(this.#placement.ownerOf(key, without));
  }

  get(id: string): P | undefined {
    return this.#peers.get(id);
  }

  updatePeers(given: readonly string[]): void {
    if (this.#closed) throw new ParsecError("CLOSED", "the peers were closed");
    const ids = this.#options.checkIds(given);
    this.#placement = createPlacement(this.#options.placement, ids);
    this.#connect(ids);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const peer of this.#peers.values()) this.#await(peer.close());
    await Promise.all(this.#leaving);
  }

  #connect(ids: readonly string[]): void {
    const before = this.#peers;
    const after = new Map<string, P>();
    for (const id of ids) {
      if (id !== this.selfId) after.set(id, before.get(id) ?? this.#createPeer(id));
    }
    this.#peers = after;
    for (const [id, peer] of before) {
      if (!after.has(id)) this.#await(peer.remove?.() ?? peer.close());
    }
  }

  #createPeer(id: string): P {
    return this.#options.createPeer(id, ({ peerId, state, error }) => {
      this.#options.onWarning(
        state === "down"
          ? { kind: "peer-down", peerId, message: `${peerId} is down: ${error?.message}` }
          : { kind: "peer-up", peerId, message: `${peerId} is up again` },
      );
    });
  }

  #await(ending: Promise<void>): void {
    const leaving = ending.finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }
}
