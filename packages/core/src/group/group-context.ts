import type { ResolvedPolicy } from "../cache-policy.ts";
import type { NodeClock } from "../clock.ts";
import type { GroupCounters } from "../group-stats.ts";
import type { MissedInvalidations } from "../invalidation/missed-invalidations.ts";
import type { RecentSweeps } from "../invalidation/recent-sweeps.ts";
import type { GroupMemory } from "../memory/group-memory.ts";
import type { SlicedWork } from "../memory/sliced-work.ts";
import type { PeerPicker } from "../peer.ts";
import type { WarmUp } from "../rebalance/warm-up.ts";
import type { SharedSignals } from "../shared-signals.ts";
import type { GroupLimits } from "./group-limits.ts";
import type { Origin } from "./origin.ts";

/** Dependencies that all groups of a node share. */
export interface NodeContext {
  readonly picker: PeerPicker;
  readonly clock: NodeClock;
  readonly random: () => number;
  readonly warmUp: WarmUp;
  readonly missed: MissedInvalidations;
  /** Listeners on the abort signals of callers. */
  readonly signals: SharedSignals;
  /** Removes the entries of invalidated tags. */
  readonly slicedWork: SlicedWork;
}

/** Dependencies that the parts of one group share. */
export interface GroupContext<Input, T> {
  readonly name: string;
  readonly policy: ResolvedPolicy;
  readonly limits: GroupLimits;
  readonly origin: Origin<Input, T>;
  readonly node: NodeContext;
  readonly memory: GroupMemory<T>;
  readonly counters: GroupCounters;
  readonly sweeps: RecentSweeps;
}
