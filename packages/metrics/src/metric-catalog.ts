import type { GroupStats } from "@parsec/core";

/** The two caches of a group, as they are called in labels and attributes. */
export const cacheTypes = ["main", "hot"] as const;
export type CacheType = (typeof cacheTypes)[number];

interface Metric {
  /** The rest of `groupcache_…`, as exporters for Go's groupcache have it. */
  readonly prometheusName: string;
  /** The rest of `groupcache.group.…` or `groupcache.cache.…`, as groupcache-go 3 has it. */
  readonly openTelemetryName: string;
  /** A counter only grows; a level goes up and down, and those of all nodes may be added up. */
  readonly kind: "counter" | "level";
  readonly unit?: "By";
  readonly help: string;
}

/** A number that each group has. */
export interface GroupMetric extends Metric {
  readonly field: Exclude<keyof GroupStats, CacheType>;
}

/** A number that each of a group's caches has. */
export interface CacheMetric extends Metric {
  read(stats: GroupStats, type: CacheType): number;
}

export const groupMetrics: readonly GroupMetric[] = [
  {
    field: "gets",
    prometheusName: "gets_total",
    openTelemetryName: "gets",
    kind: "counter",
    help: "Requests, those of peers included",
  },
  {
    field: "cacheHits",
    prometheusName: "hits_total",
    openTelemetryName: "cache_hits",
    kind: "counter",
    help: "Requests answered from memory",
  },
  {
    field: "peerLoads",
    prometheusName: "peer_loads_total",
    openTelemetryName: "peer.loads",
    kind: "counter",
    help: "Values that came from their owner",
  },
  {
    field: "peerErrors",
    prometheusName: "peer_errors_total",
    openTelemetryName: "peer.errors",
    kind: "counter",
    help: "Questions to an owner that failed",
  },
  {
    field: "loads",
    prometheusName: "loads_total",
    openTelemetryName: "loads",
    kind: "counter",
    help: "Requests that memory could not answer",
  },
  {
    field: "loadsDeduped",
    prometheusName: "loads_deduped_total",
    openTelemetryName: "loads.deduped",
    kind: "counter",
    help: "Loads after those for one key were put together",
  },
  {
    field: "localLoads",
    prometheusName: "local_loads_total",
    openTelemetryName: "local.loads",
    kind: "counter",
    help: "Fetches from the origin that ended well",
  },
  {
    field: "localLoadErrs",
    prometheusName: "local_load_errs_total",
    openTelemetryName: "local.load_errors",
    kind: "counter",
    help: "Fetches from the origin that failed",
  },
  {
    field: "warmLoads",
    prometheusName: "warm_loads_total",
    openTelemetryName: "warm.loads",
    kind: "counter",
    help: "Values taken from the memory of a key's former owner",
  },
  {
    field: "takenOver",
    prometheusName: "taken_over_total",
    openTelemetryName: "taken_over",
    kind: "counter",
    help: "Values that nodes which left have handed over",
  },
  {
    field: "serverRequests",
    prometheusName: "server_requests_total",
    openTelemetryName: "server_requests",
    kind: "counter",
    help: "Requests that came from peers",
  },
  {
    field: "staleHits",
    prometheusName: "stale_hits_total",
    openTelemetryName: "stale_hits",
    kind: "counter",
    help: "Requests answered with a value past its time to live",
  },
  {
    field: "invalidations",
    prometheusName: "invalidations_total",
    openTelemetryName: "remove_keys.requests",
    kind: "counter",
    help: "Invalidations applied here, this node's own and those of peers",
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
    help: "Charged bytes in a cache",
  },
  {
    read: (stats, type) => stats[type].items,
    prometheusName: "cache_items",
    openTelemetryName: "items",
    kind: "level",
    help: "Values in a cache",
  },
  {
    // In Go's order, which its dashboards expect: the hot cache is asked when the main one has nothing.
    read: (stats, type) => (type === "main" ? stats.gets : stats.gets - stats.main.hits),
    prometheusName: "cache_gets_total",
    openTelemetryName: "gets",
    kind: "counter",
    help: "Requests that looked into a cache",
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
    help: "Values that left a cache for want of room",
  },
];
