import {
  createPlacement,
  ParsecError,
  type Peer,
  type PeerHealthChange,
  type PeerPicker,
  type Placement,
} from "@parsec/core";
import { checkEncryption, type ResolvedGrpcOptions } from "./grpc-options.ts";
import { GrpcPeer } from "./grpc-peer.ts";
import { checkMembership } from "./grpc-urls.ts";

/** The members of the ring, one connection partner each, and whose turn a key is. */
export class GrpcPicker implements Omit<PeerPicker, "attach"> {
  readonly selfId: string;
  readonly #options: ResolvedGrpcOptions;
  #placement: Placement;
  #peers: ReadonlyMap<string, GrpcPeer> = new Map();
  /** Of peers removed that finish what they were asked. */
  readonly #leaving: Set<Promise<void>> = new Set();
  #closed = false;

  constructor(options: ResolvedGrpcOptions) {
    this.#options = options;
    this.selfId = options.membership.selfId;
    this.#placement = createPlacement(options.placement, options.membership.ids);
    this.#connect(options.membership.ids);
  }

  peers(): readonly Peer[] {
    return [...this.#peers.values()];
  }

  pick(key: string, without?: string): Peer | undefined {
    return this.#peers.get(this.#placement.ownerOf(key, without));
  }

  updatePeers(ids: readonly string[]): void {
    if (this.#closed) throw new ParsecError("CLOSED", "the peers were closed");
    const membership = checkMembership(this.selfId, ids);
    checkEncryption(membership.ids, this.#options.tls);
    this.#placement = createPlacement(this.#options.placement, membership.ids);
    this.#connect(membership.ids);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const peer of this.#peers.values()) this.#leave(peer);
    await Promise.all(this.#leaving);
  }

  #connect(ids: readonly string[]): void {
    const before = this.#peers;
    const after = new Map<string, GrpcPeer>();
    for (const id of ids) {
      if (id !== this.selfId) after.set(id, before.get(id) ?? this.#createPeer(id));
    }
    this.#peers = after;
    for (const [id, peer] of before) {
      if (!after.has(id)) this.#leave(peer);
    }
  }

  #createPeer(id: string): GrpcPeer {
    return new GrpcPeer(id, this.#options, (change) => this.#warn(change));
  }

  #leave(peer: GrpcPeer): void {
    const leaving = peer.close().finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  #warn(change: PeerHealthChange): void {
    const { peerId, state, error } = change;
    this.#options.onWarning(
      state === "out"
        ? { kind: "peer-left-out", peerId, message: `${peerId} is left out: ${error?.message}` }
        : { kind: "peer-taken-back", peerId, message: `${peerId} answers again` },
    );
  }
}
