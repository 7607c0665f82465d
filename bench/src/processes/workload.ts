/** How large the values of one phase are. */
export interface SizePhase {
  /** All of `max`, or `min` and `max` in turn, or anything between, small ones more often. */
  readonly kind: "fixed" | "bimodal" | "mixed";
  readonly min: number;
  readonly max: number;
}

/** What a group is filled with; see `programs/memory-shapes.ts`. */
export interface Workload {
  readonly seed: number;
  /** Of each group; 0 for the same work without a cache. */
  readonly maxBytes: number;
  readonly groups: number;
  readonly phases: readonly SizePhase[];
  /** Bytes, or JSON of which decoded copies are kept. */
  readonly shape: "bytes" | "texts" | "records" | "dictionary" | "vocabulary" | "deep";
  readonly tagsPerEntry: number;
  /** Tags that all entries share, or tags of their own. */
  readonly ownTags: boolean;
  /** How often each key is read. */
  readonly reads: number;
  /** Half of the keys belong to another node, and copies of them are kept. */
  readonly hot: boolean;
  readonly invalidate: "nothing" | "keys" | "tags" | "everything";
  /** Bytes written in each phase, as a multiple of the budget. */
  readonly volume: number;
}

/** What a process measured of itself after a workload and a garbage collection. */
export interface Growth {
  /** Growth of the process since its start, in bytes. */
  readonly process: number;
  /** Growth of what is alive: heap and buffers. */
  readonly live: number;
  /** The largest charge of all groups together. */
  readonly charged: number;
}
