import type { GroupStats } from "@parsec/core";

/** What one question brought: the version of the value, or the code of the error. */
export type Outcome = number | string;

/** A version that was written at the origin and then invalidated. */
export interface Change {
  readonly key: string;
  readonly version: number;
  /** When the invalidation resolved, by the machine's own monotonic clock, which all processes share. */
  readonly resolvedAt: number;
  readonly tookMs: number;
  /** Ids of the nodes that can serve nothing older from then on. */
  readonly acknowledged: readonly string[];
  readonly failed: readonly string[];
}

/** What callers of a node do, one question after the other each, until they are stopped. */
export interface LoadPlan {
  /** Keys are this text and a number below `keyCount`, drawn at random. */
  readonly keyPrefix: string;
  readonly keyCount: number;
  readonly callers: number;
  /** How long a caller waits before its next question; 0 asks again in the next turn of the event loop. */
  readonly pauseMs: number;
  /** Besides, so many change a key and invalidate it, in the same way. */
  readonly changers?: { readonly count: number; readonly pauseMs: number };
}

/** When a version was last asked for: the beginning of the last question that it answered. */
export interface VersionRead {
  readonly key: string;
  readonly version: number;
  readonly lastBeganAt: number;
}

/** What the callers of a node have met since they started. */
export interface LoadReport {
  readonly asked: number;
  readonly answered: number;
  /** How many failed, by code. A value of another key counts as `WRONG_VALUE`. */
  readonly failures: Readonly<Record<string, number>>;
  readonly lastFailureAt: number | undefined;
  /** The longest that a question took, however it ended. */
  readonly longestMs: number;
  readonly reads: readonly VersionRead[];
  readonly changes: readonly Change[];
}

export interface NodeState {
  /** Ids of the members that this node asks as usual, its own included, sorted. */
  readonly reachable: readonly string[];
  readonly stats: GroupStats;
}

/** What a scenario asks of a node, in whatever process that is. */
export interface NodeControl {
  /** All at once, in the order given. */
  get(keys: readonly string[]): Promise<readonly Outcome[]>;
  /** Writes a new version of each at the origin, and invalidates. All at once. */
  change(keys: readonly string[]): Promise<readonly Change[]>;
  updatePeers(ids: readonly string[]): Promise<void>;
  startLoad(plan: LoadPlan): Promise<void>;
  loadSoFar(): Promise<LoadReport>;
  /** Lets every caller finish. A new load begins with an empty report. */
  stopLoad(): Promise<LoadReport>;
  state(): Promise<NodeState>;
  /** Stops the load and leaves the cluster in good order. */
  close(): Promise<void>;
}

/** Milliseconds of the machine's monotonic clock, the same in every process. */
export function machineNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
