import {
  createPlacement,
  ParsecError,
  type Peer,
  type PeerHealthChange,
  type PeerPicker,
  type Placement,
} from "@parsec/core";
import type { NatsUplink } from "@parsec/nats";
import type { NatsInbox } from "./nats-inbox.ts";
import type { ResolvedNatsOptions } from "./nats-options.ts";
import { NatsPeer } from "./nats-peer.ts";
import { checkMembers } from "./nats-subjects.ts";

/** The members of the cluster, a connection partner each, and whose turn a key is. */
export class NatsPicker implements Omit<PeerPicker, "attach"> {
  readonly selfId: string;
  readonly #options: ResolvedNatsOptions;
  readonly #uplink: NatsUplink;
  readonly #inbox: NatsInbox;
  #placement: Placement;
  #peers: ReadonlyMap<string, NatsPeer> = new Map();
  /** Of peers removed that finish what they were asked. */
  readonly #leaving: Set<Promise<void>> = new Set();
  #closed = false;

  constructor(
    options: ResolvedNatsOptions,
    parts: { readonly uplink: NatsUplink; readonly inbox: NatsInbox },
  ) {
    this.#options = options;
    this.#uplink = parts.uplink;
    this.#inbox = parts.inbox;
    this.selfId = options.nodeId;
    const { membership } = options;
    const ids = membership.kind === "static" ? membership.ids : [this.selfId];
    this.#placement = createPlacement(options.placement, ids);
    this.#connect(ids);
    // A peer that was left out may have been back for long when this node is.
    this.#uplink.listen({ up: () => this.#probeAll() });
  }

  peers(): readonly Peer[] {
    return [...this.#peers.values()];
  }

  pick(key: string, without?: string): Peer | undefined {
    return this.#peers.get(this.#placement.ownerOf(key, without));
  }

  updatePeers(given: readonly string[]): void {
    if (this.#closed) throw new ParsecError("CLOSED", "the peers were closed");
    const ids = checkMembers("ids", { nodeId: this.selfId, ids: given });
    this.#placement = createPlacement(this.#options.placement, ids);
    this.#connect(ids);
  }

  /** A member gave a sign of life elsewhere: if it was left out, it may be back. */
  probe(id: string): void {
    this.#peers.get(id)?.probe();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const peer of this.#peers.values()) this.#await(peer.close());
    await Promise.all(this.#leaving);
  }

  #connect(ids: readonly string[]): void {
    const before = this.#peers;
    const after = new Map<string, NatsPeer>();
    for (const id of ids) {
      if (id !== this.selfId) after.set(id, before.get(id) ?? this.#createPeer(id));
    }
    this.#peers = after;
    for (const [id, peer] of before) {
      if (!after.has(id)) this.#await(peer.remove());
    }
  }

  #createPeer(id: string): NatsPeer {
    return new NatsPeer(id, this.#options, {
      uplink: this.#uplink,
      inbox: this.#inbox,
      onChange: (change) => this.#warn(change),
    });
  }

  #await(ending: Promise<void>): void {
    const leaving = ending.finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  #probeAll(): void {
    for (const peer of this.#peers.values()) peer.probe();
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
