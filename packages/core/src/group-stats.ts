/** Size and counters of one cache of a group, main or hot, on this node. */
export interface CacheStats {
  /** Charged bytes: keys, values, decoded copies and overhead. */
  readonly bytes: number;
  readonly items: number;
  readonly hits: number;
  readonly evictions: number;
}

/**
 * Counters of one group or data source on this node, named as in Go's groupcache. With no load in
 * progress they balance: `gets = cacheHits + loads`, `cacheHits = main.hits + hot.hits`, and
 * `loadsDeduped = peerLoads + peerErrors + localLoads + localLoadErrs + warmLoads`. A load that tries the
 * owner, then the fallback owner, then the origin counts once for each attempt.
 */
export interface GroupStats {
  /** Requests, those of peers included. */
  readonly gets: number;
  /** Requests answered from memory, stale answers included. */
  readonly cacheHits: number;
  /** Stale values served within `staleWhileRevalidateMs` or `staleIfErrorMs`. */
  readonly staleHits: number;
  /** Cache misses. */
  readonly loads: number;
  /** Load attempts after singleflight: lookups at owners and fallback owners, origin fetches, and warm loads. */
  readonly loadsDeduped: number;
  /** Lookups answered by the owner, or by the fallback owner while the owner was unreachable. */
  readonly peerLoads: number;
  /** Lookups at an owner or fallback owner that failed. */
  readonly peerErrors: number;
  /** Local origin fetches that succeeded, including those that found no value. */
  readonly localLoads: number;
  /** Local origin fetches that failed. */
  readonly localLoadErrs: number;
  /** Loads refused with the error of an earlier fetch, because the origin fails. */
  readonly refusedLoads: number;
  /** 1 while the circuit breaker of the origin is open on this node, else 0. */
  readonly breakerOpen: number;
  /** Values copied from the memory of a key's former owner during warm-up. */
  readonly warmLoads: number;
  /** Entries accepted from leaving nodes by hand-over. */
  readonly takenOver: number;
  /** Lookups received from peers, without those of their warm-up. */
  readonly serverRequests: number;
  /** Invalidations applied on this node, its own and those of peers. */
  readonly invalidations: number;
  /** Loads in progress. */
  readonly flights: number;
  /** Keys that this node owns. */
  readonly main: CacheStats;
  /** Copies of popular values that other nodes own. */
  readonly hot: CacheStats;
}

/** The mutable counters behind {@link GroupStats}; `gets` is computed from them. */
export class GroupCounters {
  staleHits = 0;
  loads = 0;
  loadsDeduped = 0;
  peerLoads = 0;
  peerErrors = 0;
  localLoads = 0;
  localLoadErrs = 0;
  refusedLoads = 0;
  warmLoads = 0;
  takenOver = 0;
  serverRequests = 0;
  invalidations = 0;
}
