import type { GroupStats } from "@parsec/core";

/** Result of one get: the version of the value, or the code of the error. */
export type Outcome = number | string;

/** A version that was written at the origin and then invalidated. */
export interface Change {
  readonly key: string;
  readonly version: number;
  /** Time at which the invalidation resolved, by the machine's monotonic clock, which all processes share. */
  readonly resolvedAt: number;
  readonly tookMs: number;
  /** Ids of the nodes that serve no older version from then on. */
  readonly acknowledged: readonly string[];
  readonly failed: readonly string[];
}

/** A load on one node: callers that each send one request after the other until they are stopped. */
export interface LoadPlan {
  /** Keys are this prefix and a random number below `keyCount`. */
  readonly keyPrefix: string;
  readonly keyCount: number;
  readonly callers: number;
  /** Pause of a caller before its next request; 0 sends it in the next turn of the event loop. */
  readonly pauseMs: number;
  /** Further callers, which change a key and invalidate it. */
  readonly changers?: { readonly count: number; readonly pauseMs: number };
}

/** A version that was read, and the start of the last request that returned it. */
export interface VersionRead {
  readonly key: string;
  readonly version: number;
  readonly lastStartedAt: number;
}

/** Results of the callers of a node since their start. */
export interface LoadReport {
  readonly requests: number;
  readonly answered: number;
  /** Number of failures by code. A value of another key counts as `WRONG_VALUE`. */
  readonly failures: Readonly<Record<string, number>>;
  readonly lastFailureAt: number | undefined;
  /** Longest duration of a request, successful or not. */
  readonly longestMs: number;
  readonly reads: readonly VersionRead[];
  readonly changes: readonly Change[];
}

export interface NodeState {
  /** Sorted ids of this node and the members whose circuit breaker is closed. */
  readonly reachable: readonly string[];
  readonly stats: GroupStats;
}

/** The commands of a node, in this or another process. */
export interface NodeControl {
  /** Gets all keys concurrently; results are in the order of the keys. */
  get(keys: readonly string[]): Promise<readonly Outcome[]>;
  /** Writes a new version of each key at the origin and invalidates it, concurrently. */
  change(keys: readonly string[]): Promise<readonly Change[]>;
  updatePeers(ids: readonly string[]): Promise<void>;
  startLoad(plan: LoadPlan): Promise<void>;
  loadSoFar(): Promise<LoadReport>;
  /** Waits for all requests in flight. A new load starts with an empty report. */
  stopLoad(): Promise<LoadReport>;
  state(): Promise<NodeState>;
  /** Stops the load and closes the node gracefully. */
  close(): Promise<void>;
}

/** Milliseconds of the machine's monotonic clock, the same in every process. */
export function machineNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
