/** What happens to a ring, for machines: logs, metrics, tests. */
export type RingEvent =
  /** This node serves the partition from now on. */
  | {
      readonly type: "owned";
      readonly partition: number;
      readonly incarnation: string;
      readonly partEpoch: number;
      readonly lost: boolean;
    }
  /** It does not any more: `planned` when it handed it over, with all writes. */
  | {
      readonly type: "released";
      readonly partition: number;
      readonly partEpoch: number;
      readonly planned: boolean;
    }
  /** The table was written, by whichever node. */
  | { readonly type: "table"; readonly epoch: number; readonly incarnation: string }
  | { readonly type: "member-joined" | "member-left"; readonly id: string }
  /** This node's lease ran out: it serves nothing until it is renewed. */
  | { readonly type: "fenced"; readonly reason: string }
  | { readonly type: "unfenced" }
  /** Others took this node for dead, or the store was lost: it takes part again, as a newcomer. */
  | { readonly type: "rejoining"; readonly reason: string }
  /** A backup did not confirm writes in time, and is one no longer until it has caught up. */
  | {
      readonly type: "backup-dropped";
      readonly partition: number;
      readonly ids: readonly string[];
    }
  | {
      readonly type: "hook-failed";
      readonly hook: "onOwn" | "onRelease";
      readonly partitions: readonly number[];
      readonly message: string;
    }
  | { readonly type: "warning"; readonly message: string };

export type RingListener = (event: RingEvent) => void;
