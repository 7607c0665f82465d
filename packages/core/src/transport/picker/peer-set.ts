import { FollowedPeers } from "../../discovery/followed-peers.ts";
import type { PeerDiscovery } from "../../discovery/peer-discovery.ts";
import { ParsecError } from "../../errors.ts";
import type { Peer, PeerPicker } from "../../peer.ts";
import { createPlacements, type Placements } from "../../placement/create-placement.ts";
import type { Placement, PlacementName } from "../../placement/placement.ts";
import { telemetryChannel } from "../../telemetry.ts";
import type { PeerHealthChange } from "../health/peer-health.ts";
import { reportHealth } from "./health-report.ts";
import type { PeerWarning } from "./peer-options.ts";

/** How many new members are hashed in one turn of the event loop, which takes about 2 ms. */
const hashedPerTurn = 40;

const membersChannel = telemetryChannel("parsec:members");

/** A {@link Peer} that a {@link PeerSet} creates and closes. */
export interface ManagedPeer extends Peer {
  /** Graceful shutdown: accepts no more calls, lets open ones finish for a while, and frees the connections. */
  close(): Promise<void>;
  /** Like `close`, for a peer that has left the cluster. Defaults to `close`. */
  remove?(): Promise<void>;
}

/** The other members of the cluster and the owner of each key: a {@link PeerPicker} without its server side. */
export interface PeerSet<P extends ManagedPeer = ManagedPeer> extends Omit<PeerPicker, "attach"> {
  peers(): readonly P[];
  pick(key: string, without?: string): P | undefined;
  /** The peer with this id; undefined for this node and for nodes that are not members. */
  get(id: string): P | undefined;
}

/** Options of {@link createPeerSet}. */
export interface PeerSetOptions<P extends ManagedPeer> {
  readonly selfId: string;
  /** The initial members, this node included. */
  readonly ids: readonly string[];
  readonly placement: PlacementName;
  /** Replaces the members whenever it finds others, until `updatePeers` is called. */
  readonly discovery: PeerDiscovery | undefined;
  /** Checks the ids of a later membership and returns them. Throws `INVALID_ARGUMENT`. */
  readonly checkIds: (ids: readonly string[]) => readonly string[];
  /** Connects to a new member. `onChange` reports its circuit breaker. */
  readonly createPeer: (id: string, onChange: (change: PeerHealthChange) => void) => P;
  readonly onWarning: (warning: PeerWarning) => void;
}

/** Creates the {@link PeerSet} of a transport, which creates a peer for each new member and removes those that leave. */
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
    warn: onWarning,
    updatePeers: (ids) => followed.updatePeers(ids),
    async close() {
      await Promise.all([followed.close(), members.close()]);
    },
  };
}

class Members<P extends ManagedPeer> {
  readonly selfId: string;
  readonly #options: PeerSetOptions<P>;
  readonly #placements: Placements;
  #placement: Placement;
  /** The members of a placement that is still computed; undefined for none. */
  #nextIds: readonly string[] | undefined = undefined;
  #peers: ReadonlyMap<string, P> = new Map();
  /** Removed peers that still finish open calls. */
  readonly #leaving: Set<Promise<void>> = new Set();
  #closed = false;

  constructor(options: PeerSetOptions<P>) {
    this.#options = options;
    this.selfId = options.selfId;
    this.#placements = createPlacements(options.placement);
    this.#placement = this.#placements.of(options.ids);
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
    if (this.#closed) throw new ParsecError("CLOSED", "the transport was closed");
    const ids = this.#options.checkIds(given);
    const before = this.#peers;
    this.#connect(ids);
    const isComputing = this.#nextIds !== undefined;
    this.#nextIds = ids;
    if (!isComputing) this.#place();
    if (membersChannel.hasSubscribers) this.#publishMembers(before);
  }

  /**
   * Computes the placement of new members in slices. Meanwhile keys keep their owners of before; this node loads
   * those of members that left. Nodes may disagree for so long, as while a change of members spreads.
   */
  #place(): void {
    const ids = this.#nextIds;
    if (ids === undefined || this.#closed) return;
    if (this.#placements.prepare(ids, hashedPerTurn)) {
      this.#placement = this.#placements.of(ids);
      this.#nextIds = undefined;
    } else setImmediate(() => this.#place());
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const peer of this.#peers.values()) this.#track(peer.close());
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
      if (!after.has(id)) this.#track(peer.remove?.() ?? peer.close());
    }
  }

  #publishMembers(before: ReadonlyMap<string, P>): void {
    const { selfId } = this;
    const now = [...this.#peers.keys()];
    const joined = now.filter((id) => !before.has(id));
    const left = [...before.keys()].filter((id) => !this.#peers.has(id));
    if (joined.length + left.length === 0) return;
    membersChannel.publish({ nodeId: selfId, members: [selfId, ...now], joined, left });
  }

  #createPeer(id: string): P {
    return this.#options.createPeer(id, reportHealth(this.#options));
  }

  #track(ending: Promise<void>): void {
    const leaving = ending.finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }
}
