import type { OwnHook, ReleaseHook } from "./ownership/hook-runner.ts";
import type { TermPhase } from "./ownership/owner-term.ts";
import type { WriteAck } from "./replication/partition-log.ts";
import type { RingEvent, RingListener } from "./ring-events.ts";
import type { RingHandler } from "./routing/owner-request-handler.ts";

/** Options of everything that asks the owner of a key. */
export interface RingCallOptions {
  readonly signal?: AbortSignal;
  /** Replaces the ring's `requestTimeoutMs`. */
  readonly timeoutMs?: number;
}

/** How the ring stands, for people: everything can be shown as JSON. */
export interface RingState {
  readonly platform: string;
  readonly node: string;
  readonly session: string;
  readonly status: "starting" | "active" | "leaving" | "closed";
  /** Whether this node may serve what it owns at this moment. */
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
  /** Partitions of which it holds a copy for others. */
  readonly backupOf: readonly number[];
  /** Planned moves that have not been completed, in the whole ring. */
  readonly moving: readonly {
    readonly partition: number;
    readonly from: string;
    readonly to: string;
  }[];
  /** Partitions that this node owns and does not serve, and why. */
  readonly notServing: readonly { readonly partition: number; readonly phase: TermPhase }[];
  /** Partitions with fewer copies than wanted, in the whole ring. */
  readonly underReplicated: number;
  readonly hooksRunning: readonly number[];
  readonly lastHookFailure: Extract<RingEvent, { type: "hook-failed" }> | undefined;
  readonly lastError: string | undefined;
  readonly pendingRequests: number;
}

/**
 * A ring of nodes that share the partitions of a key space, each partition with one owner at a time.
 * What it promises, and what not, stands in ADR 0011.
 */
export interface Ring {
  readonly nodeId: string;
  readonly partitions: number;
  /**
   * Joins. Resolves when this node is a member of the table. Rejects with `ABORTED` when the signal
   * fires, and with what waiting will not mend, such as another number of partitions.
   */
  start(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /**
   * Gives all partitions to other nodes, and still routes requests: for a server that answers what comes
   * in until `leave`. Resolves after `leaveTimeoutMs`, or when the signal fires, all the same.
   */
  handOver(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** `handOver`, then `close`. */
  leave(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Stops serving at once, without handing over; others take over without waiting. Closing twice is fine. */
  close(): Promise<void>;

  partitionFor(key: string): number;
  /** The owner that the table names; undefined when there is none at the moment. */
  nodeFor(key: string): string | undefined;
  /** The owner, then those who would take over, the likeliest first; empty when nobody owns it. */
  nodesFor(key: string): readonly string[];
  /** Whether this node owns the key and may serve it at this very moment. */
  ownsKey(key: string): boolean;

  /** Called before this node serves partitions it has come to own. Register before `start`; the returned function unregisters. */
  onOwn(hook: OwnHook): () => void;
  /** Called when it serves them no longer: in a planned move before the next owner's onOwn. */
  onRelease(hook: ReleaseHook): () => void;
  /** Has `handler` answer `method` for the keys that this node owns. Throws `DUPLICATE_NAME`. */
  handle(method: string, handler: RingHandler): void;

  /**
   * Has the owner of `key` answer `method`, here or one hop away. What was certainly not done is tried
   * again until the time has run out. Rejects with the handler's own `ParsecError`, with `ORIGIN_FAILED`
   * when it threw another, with `TIMEOUT`, `ABORTED`, `OVERLOADED`, or with `PEER_UNREACHABLE` when
   * nobody can say whether it took place; what is `idempotent` is tried again then, too.
   */
  call(
    key: string,
    method: string,
    payload: Uint8Array,
    options?: RingCallOptions & { readonly idempotent?: boolean },
  ): Promise<Uint8Array>;
  /** Has the state of the key's partition carry out `op`, with copies; resolves with its answer. Rejects like `call`. */
  write(
    key: string,
    op: Uint8Array,
    options?: RingCallOptions & { readonly ack?: WriteAck },
  ): Promise<Uint8Array>;
  /** Asks the state of the key's partition. `staleOk` lets a backup answer, which may be behind. Rejects like `call`. */
  read(
    key: string,
    query: Uint8Array,
    options?: RingCallOptions & { readonly staleOk?: boolean },
  ): Promise<Uint8Array>;

  state(): RingState;
  /** Tells what happens; the returned function ends it. A listener that throws harms nobody. */
  subscribe(listener: RingListener): () => void;
}
