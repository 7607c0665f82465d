import type { HandOverReport } from "./hand-over-report.ts";
import type { OwnHook, ReleaseHook } from "./ownership/hook-runner.ts";
import type { TermPhase } from "./ownership/owner-term.ts";
import type { WriteAck } from "./replication/partition-log.ts";
import type { RingEvent, RingListener } from "./ring-events.ts";
import type { RingHandler } from "./routing/owner-request-handler.ts";

/** Options of requests to the owner of a key. */
export interface RingCallOptions {
  readonly signal?: AbortSignal;
  /** Replaces the ring's `requestTimeoutMs`. */
  readonly timeoutMs?: number;
}

/** Options of the end of a node. */
export interface RingLeaveOptions {
  readonly signal?: AbortSignal;
  /** Whether to wait for another node while there is none. Defaults to true. */
  readonly waitForOthers?: boolean;
}

/** The state of a ring as one node sees it, for operators. Can be shown as JSON. */
export interface RingState {
  readonly platform: string;
  readonly node: string;
  readonly session: string;
  readonly status: "starting" | "active" | "leaving" | "closed";
  /** Whether this node may serve its partitions at this moment. */
  readonly leaseValid: boolean;
  readonly leaseRemainingMs: number;
  readonly incarnation: string | undefined;
  readonly epoch: number;
  readonly partitions: number;
  readonly replicas: number;
  readonly members: readonly {
    readonly id: string;
    readonly zone: string;
    readonly weight: number;
    readonly present: boolean;
    readonly owned: number;
    readonly backups: number;
  }[];
  /** Partitions that this node serves. */
  readonly owned: readonly number[];
  /** Partitions of which this node is a backup. */
  readonly backupOf: readonly number[];
  /** Planned moves that have not been completed, in the whole ring. */
  readonly moving: readonly {
    readonly partition: number;
    readonly from: string;
    readonly to: string;
  }[];
  /** Partitions that this node owns but does not serve, and why. */
  readonly notServing: readonly {
    readonly partition: number;
    readonly phase: TermPhase;
    /** Why its data cannot be recovered, such as that it is damaged; undefined while it can. */
    readonly stuck: string | undefined;
  }[];
  /** Partitions with fewer copies than wanted, in the whole ring. */
  readonly underReplicated: number;
  /** Partitions without an owner or with fewer copies than its present nodes can hold, in the whole ring. While there are some, end no node. */
  readonly incomplete: number;
  readonly hooksRunning: readonly number[];
  readonly lastHookFailure: Extract<RingEvent, { type: "hook-failed" }> | undefined;
  readonly lastError: string | undefined;
  readonly pendingRequests: number;
}

/**
 * A ring of nodes that share the partitions of a key space; each partition has one owner at a time. ADR 0011
 * states its guarantees and their limits.
 */
export interface Ring {
  readonly nodeId: string;
  readonly partitions: number;
  /**
   * Joins the ring. Resolves when this node is a member of the table. Rejects with `ABORTED` when the signal
   * fires, and with permanent errors, such as another number of partitions.
   */
  start(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /**
   * Hands all partitions over to other nodes, and goes on serving until `leave`: for the graceful shutdown of a
   * server. Resolves when their copies are complete there, after `leaveTimeoutMs`, or when the signal fires, with what
   * this node still holds. A node that alone has data in memory waits for another one that takes it.
   */
  handOver(options?: RingLeaveOptions): Promise<HandOverReport>;
  /** Hands all partitions over, then closes. Resolves with what was not handed over. */
  leave(options?: RingLeaveOptions): Promise<HandOverReport>;
  /** Stops serving at once, without handing over; backups take over immediately. A second call does nothing. */
  close(): Promise<void>;

  partitionFor(key: string): number;
  /** The owner of a key by the table; undefined while there is none. */
  nodeFor(key: string): string | undefined;
  /** The owner, then the nodes that would take over, in order; empty while there is no owner. */
  nodesFor(key: string): readonly string[];
  /** Whether this node owns the key and may serve it at this moment. */
  ownsKey(key: string): boolean;

  /** Adds a hook that runs before this node serves partitions it has become the owner of. Add it before `start`; the returned function removes it. */
  onOwn(hook: OwnHook): () => void;
  /** Adds a hook that runs when this node has stopped serving partitions; in a planned move, before the next owner's `onOwn`. The returned function removes it. */
  onRelease(hook: ReleaseHook): () => void;
  /** Sets the handler of `method` for keys that this node owns. Throws `DUPLICATE_NAME` when it has one. */
  handle(method: string, handler: RingHandler): void;

  /**
   * Calls `method` on the owner of `key`, here or one hop away. Retries until the time limit while the request
   * was certainly not executed. Rejects with the handler's own `ParsecError`, with `ORIGIN_FAILED` when it
   * threw another error, with `TIMEOUT`, `ABORTED`, `OVERLOADED`, or with `PEER_UNREACHABLE` when the outcome is
   * unknown; `idempotent` allows a retry in that case, too.
   */
  call(
    key: string,
    method: string,
    payload: Uint8Array,
    options?: RingCallOptions & { readonly idempotent?: boolean },
  ): Promise<Uint8Array>;
  /** Applies `op` to the state of the key's partition and replicates it; resolves with the answer of `apply`. Rejects like `call`. */
  write(
    key: string,
    op: Uint8Array,
    options?: RingCallOptions & { readonly ack?: WriteAck },
  ): Promise<Uint8Array>;
  /** Queries the state of the key's partition. `staleOk` allows a backup to answer, which may be behind. Rejects like `call`. */
  read(
    key: string,
    query: Uint8Array,
    options?: RingCallOptions & { readonly staleOk?: boolean },
  ): Promise<Uint8Array>;

  state(): RingState;
  /** Subscribes to events; the returned function unsubscribes. Exceptions of a listener are ignored. */
  subscribe(listener: RingListener): () => void;
}
