import { untilAborted } from "../src/abort.ts";
import { ParsecError } from "../src/errors.ts";
import type {
  Peer,
  PeerHandOver,
  PeerHost,
  PeerInvalidation,
  PeerLookup,
  PeerPicker,
} from "../src/peer.ts";

/** A message between two nodes. */
export interface Passage {
  readonly from: string;
  readonly to: string;
  readonly message: PeerLookup | PeerInvalidation | PeerHandOver;
}

/** With `hasFallbackOwners`, `pick` honours `without`. */
export interface DirectNetworkOptions {
  readonly hasFallbackOwners?: boolean;
}

/**
 * Nodes of one process that call each other directly. The owner of `x:…` is the node x; the first member owns
 * other keys, and those of x while x is not a member. (`@parsec/testkit` has a full transport, but depends on this package.)
 */
export class DirectNetwork {
  readonly lookups: (Passage & { readonly message: PeerLookup })[] = [];
  readonly invalidations: (Passage & { readonly message: PeerInvalidation })[] = [];
  readonly handOvers: (Passage & { readonly message: PeerHandOver })[] = [];
  readonly probed: { readonly from: string; readonly to: string }[] = [];
  /** Unreachable nodes. */
  readonly down: Set<string> = new Set();
  /** Called for each message on its way: a promise delays it, a rejection loses it. */
  onTheWay: (passage: Passage) => Promise<void> | void = () => {};
  /** Called for each answer, like `onTheWay`. */
  onTheWayBack: (passage: Passage) => Promise<void> | void = () => {};
  readonly #members: string[];
  readonly #hosts: Map<string, PeerHost> = new Map();
  readonly #hasFallbackOwners: boolean;

  constructor(
    members: readonly string[],
    { hasFallbackOwners: hasDeputies = false }: DirectNetworkOptions = {},
  ) {
    this.#members = [...members];
    this.#hasFallbackOwners = hasDeputies;
  }

  picker(selfId: string): PeerPicker {
    let members = this.#members;
    const peerOf = (id: string): Peer => this.#peer(selfId, id);
    return {
      selfId,
      peers: () => members.filter((id) => id !== selfId).map(peerOf),
      pick: (key, without) => {
        const [named] = key.split(":", 1) as [string];
        const isThere = (id: string): boolean => !this.#hasFallbackOwners || id !== without;
        const present = members.filter(isThere);
        const owner = present.includes(named) ? named : (present[0] ?? selfId);
        return owner === selfId ? undefined : peerOf(owner);
      },
      updatePeers(ids) {
        members = [...ids];
      },
      attach: (host) => this.#hosts.set(selfId, host),
      close: () => Promise.resolve(),
    };
  }

  /** The server side of the node. */
  host(id: string): PeerHost {
    const host = this.#hosts.get(id);
    if (host === undefined || this.down.has(id)) {
      throw new ParsecError("PEER_UNREACHABLE", `${id} is down`);
    }
    return host;
  }

  #peer(from: string, to: string): Peer {
    return {
      id: to,
      lookup: (message, options) => {
        const passage = { from, to, message };
        this.lookups.push(passage);
        const answer = this.#pass(passage, (host) => host.lookup(message, options));
        return untilAborted(answer, options?.signal);
      },
      invalidate: (message, { signal }) => {
        const passage = { from, to, message };
        this.invalidations.push(passage);
        const applied = this.#pass(passage, (host) => host.invalidate(message));
        return untilAborted(applied, signal);
      },
      handOver: (message, { signal }) => {
        const passage = { from, to, message };
        this.handOvers.push(passage);
        const taken = this.#pass(passage, (host) => host.takeOver?.(message) ?? 0);
        return untilAborted(taken, signal);
      },
      probe: () => void this.probed.push({ from, to }),
    };
  }

  async #pass<T>(passage: Passage, call: (host: PeerHost) => T | Promise<T>): Promise<T> {
    await this.onTheWay(passage);
    const result = await call(this.host(passage.to));
    await this.onTheWayBack(passage);
    return result;
  }
}
