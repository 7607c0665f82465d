import { abortedError } from "../src/abort.ts";
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

/** Whether the ring says who would own a key if one member were not there. */
export interface DirectNetworkOptions {
  readonly hasDeputies?: boolean;
}

/**
 * Nodes of one process that call each other directly. The owner of `x:…` is the node x, of any other
 * key, or while x is not there, the first member. (`@parsec/testkit`, which has a real transport, stands on this package.)
 */
export class DirectNetwork {
  readonly asked: (Passage & { readonly message: PeerLookup })[] = [];
  readonly told: (Passage & { readonly message: PeerInvalidation })[] = [];
  readonly given: (Passage & { readonly message: PeerHandOver })[] = [];
  readonly probed: { readonly from: string; readonly to: string }[] = [];
  /** Nodes that nobody reaches. */
  readonly down: Set<string> = new Set();
  /** What happens to a message on its way; a promise delays it, a rejection loses it. */
  onTheWay: (passage: Passage) => Promise<void> | void = () => {};
  /** The same for what comes back. */
  onTheWayBack: (passage: Passage) => Promise<void> | void = () => {};
  readonly #members: string[];
  readonly #hosts: Map<string, PeerHost> = new Map();
  readonly #hasDeputies: boolean;

  constructor(members: readonly string[], { hasDeputies = false }: DirectNetworkOptions = {}) {
    this.#members = [...members];
    this.#hasDeputies = hasDeputies;
  }

  picker(selfId: string): PeerPicker {
    let members = this.#members;
    const peerOf = (id: string): Peer => this.#peer(selfId, id);
    return {
      selfId,
      peers: () => members.filter((id) => id !== selfId).map(peerOf),
      pick: (key, without) => {
        const [named] = key.split(":", 1) as [string];
        const isThere = (id: string): boolean => !this.#hasDeputies || id !== without;
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

  /** What peers call on the node. */
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
        this.asked.push(passage);
        const answer = this.#pass(passage, (host) => host.lookup(message, options));
        return untilAborted(answer, options?.signal);
      },
      invalidate: (message, { signal }) => {
        const passage = { from, to, message };
        this.told.push(passage);
        const applied = this.#pass(passage, (host) => host.invalidate(message));
        return untilAborted(applied, signal);
      },
      handOver: (message, { signal }) => {
        const passage = { from, to, message };
        this.given.push(passage);
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

function untilAborted<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return result;
  if (signal.aborted) return Promise.reject(abortedError(signal));
  return new Promise<T>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(abortedError(signal)), { once: true });
    result.then(resolve, reject);
  });
}
