import type { Ring, RingState } from "@parsec/ring";
import type { CacheData } from "../cache/cache-data.ts";

/** The body of `GET /stats`; its names are part of the interface. */
export interface NodeStats {
  readonly node_id: string;
  /** Entries of partitions that this node owns: the sum over all nodes is the size of the cache. */
  readonly entries: number;
  readonly entries_with_ttl: number;
  readonly partitions: readonly number[];
  readonly partition_count: number;
  readonly total_expired_by_ttl: number;
  readonly total_cleaned_by_release: number;
  readonly ring: {
    readonly num_partitions: number;
    readonly num_nodes: number;
    readonly owned_partitions: number;
    readonly is_coordinator: boolean;
    readonly is_rebalancing: boolean;
    readonly partitions_by_node: Readonly<Record<string, number>>;
  };
}

export function describeStats(ring: Ring, data: CacheData): NodeStats {
  // Expired entries do not count.
  data.sweep(Number.POSITIVE_INFINITY);
  const state = ring.state();
  const { entries, entriesWithTtl, expired, released } = data.counts();
  const present = presentMembers(state);
  return {
    node_id: ring.nodeId,
    entries,
    entries_with_ttl: entriesWithTtl,
    partitions: state.owned,
    partition_count: state.owned.length,
    total_expired_by_ttl: expired,
    total_cleaned_by_release: released,
    ring: {
      num_partitions: state.partitions,
      num_nodes: present.length,
      owned_partitions: state.owned.length,
      is_coordinator: present[0] === ring.nodeId,
      is_rebalancing: isRebalancing(state),
      partitions_by_node: Object.fromEntries(
        state.members.filter(({ present }) => present).map(({ id, owned }) => [id, owned]),
      ),
    },
  };
}

/**
 * Any node may write the table, so there is no real coordinator; the first node by name is shown as one, because
 * clients of go-cluster expect it.
 */
export function presentMembers(state: RingState): readonly string[] {
  return state.members
    .filter(({ present }) => present)
    .map(({ id }) => id)
    .sort();
}

/** Whether partitions move, have no owner, or have fewer copies than the present nodes could hold. */
function isRebalancing(state: RingState): boolean {
  const owned = state.members.reduce((sum, member) => sum + member.owned, 0);
  const hasSpareNodes = presentMembers(state).length >= state.replicas;
  return (
    state.moving.length > 0 ||
    state.notServing.length > 0 ||
    owned < state.partitions ||
    (hasSpareNodes && state.underReplicated > 0)
  );
}
