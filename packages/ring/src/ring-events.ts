/** An event of a ring, for logs, metrics and tests. */
export type RingEvent =
  /** This node has begun to serve a partition. `lost`: without the data of the previous owner. */
  | {
      readonly type: "owned";
      readonly partition: number;
      readonly incarnation: string;
      readonly partEpoch: number;
      readonly lost: boolean;
    }
  /** This node has stopped serving a partition. `planned`: it was handed over with all writes. */
  | {
      readonly type: "released";
      readonly partition: number;
      readonly partEpoch: number;
      readonly planned: boolean;
    }
  /** This node received a new table. */
  | { readonly type: "table"; readonly epoch: number; readonly incarnation: string }
  | { readonly type: "member-joined" | "member-left"; readonly id: string }
  /** This node's lease expired: it serves nothing until `unfenced`. */
  | { readonly type: "fenced"; readonly reason: string }
  | { readonly type: "unfenced" }
  /** Others declared this node dead, or the store was lost: it joins again under a new session. */
  | { readonly type: "rejoining"; readonly reason: string }
  /** Backups did not confirm writes in time, and were removed from the table until they have caught up. */
  | {
      readonly type: "backup-dropped";
      readonly partition: number;
      readonly ids: readonly string[];
    }
  /** This node owns a partition whose stored data is damaged, and no other node has a sound copy: it is not served. */
  | { readonly type: "damaged"; readonly partition: number; readonly reason: string }
  | {
      readonly type: "hook-failed";
      readonly hook: "onOwn" | "onRelease";
      readonly partitions: readonly number[];
      readonly message: string;
    }
  | { readonly type: "warning"; readonly message: string };

export type RingListener = (event: RingEvent) => void;
