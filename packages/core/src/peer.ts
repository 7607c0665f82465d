import type { ParsecError } from "./errors.ts";

// Merged with the interface of `@types/node` or the DOM. Lets declarations compile where both are missing.
declare global {
  interface AbortSignal {}
}

/** The trace that a call belongs to: the two headers of W3C trace context. Transports parse it with `readPeerTrace`. */
export interface PeerTrace {
  /** 55 characters: version, trace, the caller's span, flags. */
  readonly traceparent: string;
  /** State of tracing systems, at most 512 bytes. */
  readonly tracestate: string | undefined;
}

/** One lookup at the owner of a key. */
export interface PeerLookup {
  /** Name of the group, as registered on every node. */
  readonly group: string;
  readonly key: string;
  /** The encoded input of the data source; undefined for plain groups. */
  readonly input: Uint8Array | undefined;
  /**
   * The requester's combined fence of the key, 0 for none: the sum of the invalidations it has applied. An
   * owner that has missed one of them drops its entry first, so that an older value cannot come back.
   */
  readonly fence: number;
  /** Milliseconds that the requester waits, counted from now. */
  readonly timeoutMs: number;
  /** Asks for the entry in memory only; the peer must not load. Used during warm-up. */
  readonly memoryOnly?: boolean;
  /** Set by tracing on the requester's side. Transports carry it, and omit it where it does not fit. */
  readonly trace?: PeerTrace | undefined;
}

/** A successful answer to a lookup. Errors are rejections with a `ParsecError` instead. */
export interface PeerAnswer {
  /** The encoded value, or undefined when the origin has none. Read-only: it may be a view of a larger buffer. */
  readonly value: Uint8Array | undefined;
  /** Milliseconds for which the requester may cache a copy: 0 for not at all, Infinity without limit. */
  readonly ttlMs: number;
  /** The owner's combined fence of the key, 0 for none. */
  readonly fence: number;
  /** Requests per minute that the owner measures for this key; 0 when unknown. */
  readonly ratePerMinute: number;
  /** Only in answer to a `memoryOnly` lookup: there is no entry in memory; the origin may have a value. */
  readonly missing?: boolean;
}

/** One entry of a hand-over. */
export interface PeerEntry {
  readonly key: string;
  /** Undefined for a negative entry. */
  readonly value: Uint8Array | undefined;
  /** Remaining time to live in milliseconds, counted from when the ticket was issued; Infinity for no expiry. */
  readonly ttlMs: number;
  readonly tags: readonly string[];
  /** The leaving node's combined fence of the key; see {@link PeerLookup.fence}. */
  readonly fence: number;
}

/** Part of a hand-over: entries that a leaving node sends to their next owner (ADR 0007). */
export interface PeerHandOver {
  readonly group: string;
  /** The receiver's answer to the previous part. 0 in the first part, which has no entries and requests a ticket. */
  readonly ticket: number;
  /** Read from the sender's memory after the ticket arrived. */
  readonly entries: readonly PeerEntry[];
}

/** What an invalidation drops: the listed keys, all entries with a tag, or the whole group. */
export type PeerInvalidationTarget =
  | { readonly kind: "keys"; readonly keys: readonly string[] }
  | { readonly kind: "tag"; readonly tag: string }
  | { readonly kind: "all" };

/** An invalidation on its way to a peer. Idempotent: applying it twice, or late, is safe. */
export interface PeerInvalidation {
  readonly group: string;
  readonly target: PeerInvalidationTarget;
  /** Random positive integer below 2^53 that identifies this invalidation. */
  readonly fence: number;
  /**
   * Ids of nodes that have not applied it: the receiver, which has, retries it there. It does so in the place of a
   * node that may leave before they are reachable again.
   */
  readonly owedTo?: readonly string[] | undefined;
  /** True for a retry. A node that has applied this fence to a key before keeps its newer entry. */
  readonly again?: boolean;
  /** See {@link PeerLookup.trace}. */
  readonly trace?: PeerTrace | undefined;
}

/** A heartbeat of a node for a peer, or its goodbye. */
export interface PeerContact {
  /** The id of the node that sends it. */
  readonly peerId: string;
  /** Identifies the sender's process; 0 where several processes answer for one node. */
  readonly session: number;
  /** True for a node that leaves in good order and owes the peer no invalidations. */
  readonly isLeaving: boolean;
}

/** The answer to a {@link PeerContact}. */
export interface PeerContactAnswer {
  /** Identifies the answering process; 0 where several processes answer for one node. */
  readonly session: number;
  /** Changes after the peer has forgotten invalidations that it owed the sender; 0 when the sender is not among its members. */
  readonly promise: number;
  /** Whether the peer still owes the sender invalidations. */
  readonly owes: boolean;
}

/** Options of every call that waits for a peer. The call rejects with `ABORTED` when the signal fires. */
export interface PeerCallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Another node of the cluster, implemented by a transport. */
export interface Peer {
  /** The node's id, such as its URL. Placement hashes it, so all nodes must use the same text. */
  readonly id: string;
  /** Set for another process of this node itself, behind the same address. It leaves when its process ends, and never returns. */
  readonly isWorker?: true;
  /**
   * Looks a key up at this peer. Settles within `lookup.timeoutMs`. Rejects with the error that the peer
   * reports, or with `PEER_UNREACHABLE` (any network failure), `TIMEOUT`, `ABORTED` or `CLOSED`.
   */
  lookup(lookup: PeerLookup, options?: PeerCallOptions): Promise<PeerAnswer>;
  /** Resolves once the peer has applied the invalidation. Rejects like `lookup`. */
  invalidate(
    invalidation: PeerInvalidation,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<void>;
  /**
   * Hands over entries that this peer will own once this node has left. Entries beyond its limits are
   * omitted. Resolves with the ticket for the next part, or 0 when the peer accepts no more of the group.
   * Rejects like `lookup`. Absent where the protocol has no hand-over, such as that of Go's groupcache.
   */
  handOver?(
    part: PeerHandOver,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<number>;
  /**
   * Sends the peer a heartbeat, or the goodbye of this node. Resolves with undefined where the peer is of an earlier
   * release. Rejects like `lookup`, without counting against the circuit breaker. Absent: this node cannot notice
   * that it was cut off from the peer.
   */
  contact?(
    contact: PeerContact,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<PeerContactAnswer | undefined>;
  /** The peer was heard elsewhere: if its circuit breaker is open, ping it now instead of after the backoff. */
  probe?(): void;
}

/**
 * The node behind a transport's server side, which calls it after it has authenticated the requester and
 * checked its frame limits. Never calls another peer (invariant I6).
 */
export interface PeerHost {
  /**
   * Answers a lookup: synchronously from memory, else by a promise that waits for the origin only. Throws
   * or rejects with a `ParsecError` (`NO_SUCH_GROUP`, `KEY_TOO_LARGE`, `ORIGIN_FAILED`, `TIMEOUT`, …).
   */
  lookup(lookup: PeerLookup, options?: PeerCallOptions): PeerAnswer | Promise<PeerAnswer>;
  /**
   * Applies an invalidation before it returns, or with `owedTo` takes over its retries. Throws `NO_SUCH_GROUP` when
   * the group is not registered here, and `CLOSED` for a node that is leaving and takes over nothing.
   */
  invalidate(invalidation: PeerInvalidation): void;
  /**
   * Accepts part of a leaving peer's hand-over and stores the entries that are safe to use. Returns the
   * ticket for the next part, or 0 to accept no more. Throws `NO_SUCH_GROUP` or `CLOSED`.
   */
  takeOver?(part: PeerHandOver): number;
  /** Answers a heartbeat of a peer. Throws `CLOSED` for a node that is leaving. */
  contact?(contact: PeerContact): PeerContactAnswer;
  /**
   * For transports that detect that this node was not a member for a while without knowing it. It may have
   * missed invalidations, so it drops its caches and starts a new warm-up.
   */
  rejoined?(): void;
}

/** An event of a node for operators, which the transport passes on. */
export interface PickerWarning {
  /**
   * `undelivered`: this node leaves although a peer has not applied its invalidations, and no other member retries them.
   * `rejoined`: this node was cut off and dropped its caches, because a peer that may have owed it invalidations is gone.
   * `shared-address`: several processes that do not know each other answer for a peer.
   */
  readonly kind: "undelivered" | "rejoined" | "shared-address";
  readonly peerId: string;
  readonly message: string;
}

/** The members of a cluster and the owner of each key. Each transport provides one, such as `createHttpPeers`. */
export interface PeerPicker {
  /** This node's own id: one of the members. */
  readonly selfId: string;
  /** Set while this process gets to know the others behind its address; never rejects. Until it has resolved, nothing is looked up, cached or invalidated. */
  readonly joining?: Promise<void> | undefined;
  /** The other members, and the other processes of this node. */
  peers(): readonly Peer[];
  /**
   * The owner of `key`; undefined when this node owns it. Lookups at an owner that is down reject at once.
   * With `without`, the node that would own the key if that member did not exist.
   */
  pick(key: string, without?: string): Peer | undefined;
  /** Replaces the membership. `ids` must list every node, this one included; throws `INVALID_ARGUMENT` otherwise. */
  updatePeers(ids: readonly string[]): void;
  /** Sets the node that answers incoming requests. Called once, by the registry or cache that gets the picker. */
  attach(host: PeerHost): void;
  /** Passes an event of the node to operators, such as to `onWarning` of the transport. Absent: only telemetry has it. */
  warn?(warning: PickerWarning): void;
  /** Graceful shutdown: accepts no new requests, lets open ones finish within the transport's limit, frees sockets. Closing twice is fine. */
  close(): Promise<void>;
}

/** A peer that did not acknowledge an invalidation, and the reason. */
export interface PeerFailure {
  readonly peerId: string;
  readonly error: ParsecError;
}
