/** One of a group's two caches, as it is now. */
export interface CacheStats {
  /** Charged bytes: keys, values, decoded copies and overhead. */
  readonly bytes: number;
  readonly items: number;
  readonly hits: number;
  readonly evictions: number;
}

/**
 * A group's counters, in the words of Go's groupcache. At rest they balance:
 * `gets = cacheHits + loads`, `cacheHits = main.hits + hot.hits`, and
 * `loadsDeduped = peerLoads + peerErrors + localLoads + localLoadErrs + warmLoads`: a load that goes
 * on with the owner's deputy, and then with a fetch from here, counts once for each of them.
 */
export interface GroupStats {
  /** Every request, those of peers included. */
  readonly gets: number;
  /** Answered from memory, stale answers included. */
  readonly cacheHits: number;
  /** Answers given within `staleWhileRevalidateMs` or `staleIfErrorMs`. */
  readonly staleHits: number;
  /** Requests that memory could not answer. */
  readonly loads: number;
  /** Loads begun, after those for the same key were put together: questions to owners and deputies, fetches, and warm loads. */
  readonly loadsDeduped: number;
  /** Values that came from their owner, or from its deputy while it was out of reach. */
  readonly peerLoads: number;
  /** Questions to an owner or a deputy that failed. */
  readonly peerErrors: number;
  /** Fetches from the origin that ended well, "there is none" included. */
  readonly localLoads: number;
  readonly localLoadErrs: number;
  /** Values taken from the memory of a key's former owner instead, while this node was new. */
  readonly warmLoads: number;
  /** Values that nodes which left have handed over. */
  readonly takenOver: number;
  /** Requests that came from peers, without their looks into memory only. */
  readonly serverRequests: number;
  /** Invalidations applied here, this node's own and its peers'. */
  readonly invalidations: number;
  /** Loads in progress. */
  readonly flights: number;
  readonly main: CacheStats;
  readonly hot: CacheStats;
}

/** The running counters behind {@link GroupStats}; `gets` is their sum and not counted apart. */
export class GroupCounters {
  staleHits = 0;
  loads = 0;
  loadsDeduped = 0;
  peerLoads = 0;
  peerErrors = 0;
  localLoads = 0;
  localLoadErrs = 0;
  warmLoads = 0;
  takenOver = 0;
  serverRequests = 0;
  invalidations = 0;
}
