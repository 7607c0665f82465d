import type { ParsecError } from "./errors.ts";

// Empty, and merged with the interface of `@types/node` or the DOM: with neither, declarations still compile.
declare global {
  interface AbortSignal {}
}

/** What a call is part of, as the two headers of W3C's trace context say it. Read it by `readPeerTrace`. */
export interface PeerTrace {
  /** 55 characters: version, trace, the caller's span, flags. */
  readonly traceparent: string;
  /** At most 512 bytes of what tracing systems add. */
  readonly tracestate: string | undefined;
}

/** One question to the owner of a key. */
export interface PeerLookup {
  /** Name of the group, as registered on every node. */
  readonly group: string;
  readonly key: string;
  /** The data source's encoded input; absent for plain groups, whose key says all. */
  readonly input: Uint8Array | undefined;
  /**
   * The newest invalidation of this key the asker has acknowledged, 0 for none. An owner that
   * does not know it drops what it holds first, so that a value older than it cannot come back.
   */
  readonly fence: number;
  /** How long the asker will wait, counted from now. */
  readonly timeoutMs: number;
  /** Asks for what is in memory and nothing else, as a node does that is new and would go to the origin itself. */
  readonly memoryOnly?: boolean;
  /** Set by what traces the asker. Transports carry it, and leave it out rather than fail for it. */
  readonly trace?: PeerTrace | undefined;
}

/** What the owner says. Errors are rejections with a `ParsecError`. */
export interface PeerAnswer {
  /** The value's bytes, or undefined when the origin has nothing under the key. Read-only: may be a view of a larger buffer. */
  readonly value: Uint8Array | undefined;
  /** How long the asker may keep a copy: 0 not at all, Infinity for ever. */
  readonly ttlMs: number;
  /** The owner's newest invalidation of the key, 0 for none. */
  readonly fence: number;
  /** How often per minute the owner is asked for this key; 0 when it does not say. */
  readonly ratePerMinute: number;
  /** Only to a lookup that was `memoryOnly`: memory has nothing, which says nothing about the origin. */
  readonly missing?: boolean;
}

/** What a leaving node knows of a key. */
export interface PeerEntry {
  readonly key: string;
  /** Undefined for a remembered "there is none". */
  readonly value: Uint8Array | undefined;
  /** How much longer it is fresh, counted from when the ticket was given; Infinity for ever. */
  readonly ttlMs: number;
  readonly tags: readonly string[];
  /** What the leaving node stands at for the key; see {@link PeerLookup.fence}. */
  readonly fence: number;
}

/** Part of what a node that leaves hands to the one that will own the keys (ADR 0007). */
export interface PeerHandOver {
  readonly group: string;
  /** What the receiver answered the part before. 0 in the first, which has no entries and only asks for a ticket. */
  readonly ticket: number;
  /** Read by the sender after it had the ticket. */
  readonly entries: readonly PeerEntry[];
}

/** What an invalidation is about: the listed keys, everything that carries a tag, or the whole group. */
export type PeerInvalidationTarget =
  | { readonly kind: "keys"; readonly keys: readonly string[] }
  | { readonly kind: "tag"; readonly tag: string }
  | { readonly kind: "all" };

/** Tells a node to drop values. Applying one twice, or late, does no harm. */
export interface PeerInvalidation {
  readonly group: string;
  readonly target: PeerInvalidationTarget;
  /** Random positive integer below 2^53 that names this invalidation. */
  readonly fence: number;
  /** Told before, perhaps in vain: who remembers having dropped a key for it keeps what it fetched since. */
  readonly again?: boolean;
  /** As in a lookup. */
  readonly trace?: PeerTrace | undefined;
}

/** Options of every call that waits for a peer. */
export interface PeerCallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Another node, as seen from this one. */
export interface Peer {
  /** What placement hashes and every node calls it, such as its URL. */
  readonly id: string;
  /**
   * Asks the owner. Settles within `lookup.timeoutMs`. Rejects with the owner's own typed error,
   * or `PEER_UNREACHABLE` (whatever was wrong with the way there), `TIMEOUT`, `ABORTED` or `CLOSED`.
   */
  lookup(lookup: PeerLookup, options?: PeerCallOptions): Promise<PeerAnswer>;
  /** Resolves once the peer has applied the invalidation; rejects like `lookup` otherwise. */
  invalidate(
    invalidation: PeerInvalidation,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<void>;
  /**
   * Gives it what it will own once this node has left; it takes what it can use, and an entry beyond
   * its limits is left out. Resolves with the ticket for the next part, 0 when it wants no more of
   * the group. Rejects like `lookup`. Absent where the wire has no word for it, as Go's has none.
   */
  handOver?(
    part: PeerHandOver,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<number>;
  /** It gave a sign of life elsewhere: if it is left out, it is asked at once whether it is back. */
  probe?(): void;
}

/**
 * What a node does for its peers. A transport's server side calls it after it has authenticated the
 * asker and checked its own frame limits. Nothing here ever asks another peer (invariant I6).
 */
export interface PeerHost {
  /**
   * Answers from memory at once, or by a promise that waits for the origin only. Throws or rejects
   * with a `ParsecError` (`NO_SUCH_GROUP`, `KEY_TOO_LARGE`, `ORIGIN_FAILED`, `TIMEOUT`, …).
   */
  lookup(lookup: PeerLookup, options?: PeerCallOptions): PeerAnswer | Promise<PeerAnswer>;
  /** Applies it before returning. Throws `NO_SUCH_GROUP` when no such group is registered here. */
  invalidate(invalidation: PeerInvalidation): void;
  /**
   * Keeps what a leaving peer hands over, as far as nothing speaks against it. Returns the ticket for
   * the next part, 0 when no more is wanted. Throws `NO_SUCH_GROUP` or `CLOSED`.
   */
  takeOver?(part: PeerHandOver): number;
  /**
   * For transports that notice it: this node was no member for a while and did not know it, so it
   * may have missed invalidations. Everything is forgotten, and asked of whoever owned it meanwhile.
   */
  rejoined?(): void;
}

/** Says who owns a key, and reaches the owner. Each transport provides one. */
export interface PeerPicker {
  /** This node's own id: one of the members. */
  readonly selfId: string;
  /** The other members. */
  peers(): readonly Peer[];
  /**
   * The owner of `key`; undefined when that is this node. An owner known to be down rejects its
   * lookups at once. `without` asks who would own the key if that member were not there.
   */
  pick(key: string, without?: string): Peer | undefined;
  /** Replaces the membership; `ids` lists every node, this one included. */
  updatePeers(ids: readonly string[]): void;
  /** Connects the node that answers incoming requests. Called once, by the cache that takes the picker. */
  attach(host: PeerHost): void;
  /** Stops accepting, lets requests under way finish or reject, frees sockets. Closing twice is fine. */
  close(): Promise<void>;
}

/** Names the peers that did not take an invalidation, and why. */
export interface PeerFailure {
  readonly peerId: string;
  readonly error: ParsecError;
}
