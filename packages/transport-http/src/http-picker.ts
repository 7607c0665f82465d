import {
  createPlacement,
  ParsecError,
  type Peer,
  type PeerHealthChange,
  type PeerPicker,
  type Placement,
} from "@parsec/core";
import { HttpGoPeer } from "./http-go-peer.ts";
import type { ResolvedHttpOptions } from "./http-options.ts";
import { type ClosablePeer, HttpPeer } from "./http-peer.ts";
import { checkMembership } from "./http-urls.ts";

/** The members of the ring, one connection partner each, and whose turn a key is. */
export class HttpPicker implements Omit<PeerPicker, "attach"> {
  readonly selfId: string;
  readonly #options: ResolvedHttpOptions;
  #placement: Placement;
  #peers: ReadonlyMap<string, ClosablePeer> = new Map();
  /** Of peers removed that finish what they were asked. */
  readonly #leaving: Set<Promise<void>> = new Set();
  #closed = false;

  constructor(options: ResolvedHttpOptions) {
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
    checkSchemes(membership.ids, this.#options);
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
    const after = new Map<string, ClosablePeer>();
    for (const id of ids) {
      if (id !== this.selfId) after.set(id, before.get(id) ?? this.#createPeer(id));
    }
    this.#peers = after;
    for (const [id, peer] of before) {
      if (!after.has(id)) this.#leave(peer);
    }
  }

  #createPeer(id: string): ClosablePeer {
    const onChange = (change: PeerHealthChange): void => this.#warn(change);
    return this.#options.peerWire === "golang"
      ? new HttpGoPeer(id, this.#options, onChange)
      : new HttpPeer(id, this.#options, onChange);
  }

  #leave(peer: ClosablePeer): void {
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

/** Certificates are of no use on a connection without encryption, which would go unnoticed. */
export function checkSchemes(ids: readonly string[], options: ResolvedHttpOptions): void {
  if (options.tls === undefined) return;
  const plain = ids.find((id) => !id.toLowerCase().startsWith("https:"));
  if (plain !== undefined) {
    throw new ParsecError("INVALID_ARGUMENT", `tls is given, but ${plain} is no https: URL`);
  }
}
