import type { GroupStats } from "@parsec/core";

/** The two caches of a group: values of the label `type` and the attribute `cache.type`. */
export const cacheTypes = ["main", "hot"] as const;
/** A cache of a group. */
export type CacheType = (typeof cacheTypes)[number];

interface Metric {
  /** The name after `groupcache_`, as in exporters for Go's groupcache. */
  readonly prometheusName: string;
  /** The name after `groupcache.group.` or `groupcache.cache.`, as in groupcache-go 3. */
  readonly openTelemetryName: string;
  /** A counter only increases. A level goes up and down, and can be summed over nodes. */
  readonly kind: "counter" | "level";
  readonly unit?: "By";
  readonly help: string;
}

/** A metric of a group. */
export interface GroupMetric extends Metric {
  readonly field: Exclude<keyof GroupStats, CacheType>;
}

/** A metric of each cache of a group. */
export interface CacheMetric extends Metric {
  read(stats: GroupStats, type: CacheType): number;
}

export const groupMetrics: readonly GroupMetric[] = [
  {
    field: "gets",
    prometheusName: "gets_total",
    openTelemetryName: "gets",
    kind: "counter",
    help: "Lookups, including those from peers",
  },
  {
    field: "cacheHits",
    prometheusName: "hits_total",
    openTelemetryName: "cache_hits",
    kind: "counter",
    help: "Lookups answered from memory",
  },
  {
    field: "peerLoads",
    prometheusName: "peer_loads_total",
    openTelemetryName: "peer.loads",
    kind: "counter",
    help: "Values received from their owner",
  },
  {
    field: "peerErrors",
    prometheusName: "peer_errors_total",
    openTelemetryName: "peer.errors",
    kind: "counter",
    help: "Failed lookups at the owner",
  },
  {
    field: "loads",
    prometheusName: "loads_total",
    openTelemetryName: "loads",
    kind: "counter",
    help: "Lookups not answered from memory",
  },
  {
    field: "loadsDeduped",
    prometheusName: "loads_deduped_total",
    openTelemetryName: "loads.deduped",
    kind: "counter",
    help: "Loads after concurrent loads of one key were coalesced (singleflight)",
  },
  {
    field: "localLoads",
    prometheusName: "local_loads_total",
    openTelemetryName: "local.loads",
    kind: "counter",
    help: "Local origin fetches that succeeded",
  },
  {
    field: "localLoadErrs",
    prometheusName: "local_load_errs_total",
    openTelemetryName: "local.load_errors",
    kind: "counter",
    help: "Local origin fetches that failed",
  },
  {
    field: "refusedLoads",
    prometheusName: "refused_loads_total",
    openTelemetryName: "refused_loads",
    kind: "counter",
    help: "Loads refused without a fetch, because the origin fails",
  },
  {
    field: "breakerOpen",
    prometheusName: "breaker_open",
    openTelemetryName: "breaker.open",
    kind: "level",
    help: "1 while the circuit breaker of the origin is open on this node",
  },
  {
    field: "warmLoads",
    prometheusName: "warm_loads_total",
    openTelemetryName: "warm.loads",
    kind: "counter",
    help: "Values received from the memory of a key's former owner after a rebalance",
  },
  {
    field: "takenOver",
    prometheusName: "taken_over_total",
    openTelemetryName: "taken_over",
    kind: "counter",
    help: "Values handed over by nodes that shut down",
  },
  {
    field: "serverRequests",
    prometheusName: "server_requests_total",
    openTelemetryName: "server_requests",
    kind: "counter",
    help: "Lookups received from peers",
  },
  {
    field: "staleHits",
    prometheusName: "stale_hits_total",
    openTelemetryName: "stale_hits",
    kind: "counter",
    help: "Lookups answered with a stale value",
  },
  {
    field: "invalidations",
    prometheusName: "invalidations_total",
    openTelemetryName: "remove_keys.requests",
    kind: "counter",
    help: "Invalidations applied on this node, its own and those of peers",
  },
  {
    field: "flights",
    prometheusName: "flights",
    openTelemetryName: "flights",
    kind: "level",
    help: "Loads in progress",
  },
];

export const cacheMetrics: readonly CacheMetric[] = [
  {
    read: (stats, type) => stats[type].bytes,
    prometheusName: "cache_bytes",
    openTelemetryName: "bytes",
    kind: "level",
    unit: "By",
    help: "Accounted bytes in a cache",
  },
  {
    read: (stats, type) => stats[type].items,
    prometheusName: "cache_items",
    openTelemetryName: "items",
    kind: "level",
    help: "Values in a cache",
  },
  {
    // As in Go's groupcache, whose dashboards expect it: the hot cache is read after a miss in the main one.
    read: (stats, type) => (type === "main" ? stats.gets : stats.gets - stats.main.hits),
    prometheusName: "cache_gets_total",
    openTelemetryName: "gets",
    kind: "counter",
    help: "Lookups in a cache",
  },
  {
    read: (stats, type) => stats[type].hits,
    prometheusName: "cache_hits_total",
    openTelemetryName: "hits",
    kind: "counter",
    help: "Hits in a cache",
  },
  {
    read: (stats, type) => stats[type].evictions,
    prometheusName: "cache_evictions_total",
    openTelemetryName: "evictions",
    kind: "counter",
    help: "Values evicted from a cache because it was full",
  },
];
