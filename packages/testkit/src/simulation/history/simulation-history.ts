import type { ParsecErrorCode, PeerInvalidationTarget } from "@parsec/core";

/** A moment of a simulation: `step` orders all events, `atMs` is the virtual time in ms. */
export interface Moment {
  readonly step: number;
  readonly atMs: number;
}

/** The result of a simulated request. A value names the fetch that returned it. */
export type SimulatedOutcome =
  | { readonly kind: "value"; readonly fetch: number; readonly version: number }
  | { readonly kind: "absent" }
  | {
      readonly kind: "error";
      readonly code: ParsecErrorCode | "FOREIGN";
      readonly message: string;
    };

/** A request of a caller in a simulation. */
export interface GetRecord {
  readonly id: number;
  /** Node and incarnation, such as `n0#1`; a restarted node is a new incarnation with an empty cache. */
  readonly node: string;
  readonly key: string;
  readonly begun: Moment;
  /** Method of the cache. The records of one `getMany` end together. */
  readonly how: "get" | "getMany" | "peek";
  /** Moment of the caller's abort. */
  aborted?: Moment;
  settled?: Moment;
  outcome?: SimulatedOutcome;
  /** Set for each key of a rejected `getMany`, whose own result is unknown. */
  unknown?: true;
}

/** One fetch from the simulated origin. */
export interface FetchRecord {
  readonly id: number;
  readonly node: string;
  readonly key: string;
  readonly begun: Moment;
  /** Version at the origin when the fetch began. */
  readonly version: number;
  /** Moment at which the signal of the fetch was aborted. */
  signalled?: Moment;
  ended?: Moment;
  /** `nonsense`: a value that cannot be cached. */
  outcome?: "value" | "absent" | "failed" | "nonsense";
}

/** One invalidation in a simulation, as seen by its caller. */
export interface InvalidationRecord {
  readonly id: number;
  readonly node: string;
  readonly target: PeerInvalidationTarget;
  readonly begun: Moment;
  /** Versions at the origin when the invalidation began, by key. */
  readonly versions: ReadonlyMap<string, number>;
  settled?: Moment;
  /** Incarnations that acknowledged: after the invalidation they serve no older value. */
  acknowledged?: readonly string[];
  /** Ids of nodes in `failed` of the result. */
  failed?: readonly string[];
  /** Ids that were members at its start and are in neither list. */
  unnamed?: readonly string[];
  /** Code or text of the error, if the call rejected. */
  error?: string;
}

/** A lookup to a peer in a simulation, as seen by the sender. */
export interface QuestionRecord {
  readonly node: string;
  readonly key: string;
  readonly begun: Moment;
  /** Number of open requests of callers for the key on the sending node. */
  readonly onBehalfOf: number;
  settled?: Moment;
  code?: ParsecErrorCode | "FOREIGN";
}

/** A memory-only lookup to the former owner of a key, as seen by the new owner. */
export interface LookRecord {
  readonly node: string;
  readonly key: string;
  readonly begun: Moment;
  settled?: Moment;
  /** The value found; undefined without one. */
  outcome?: SimulatedOutcome;
}

/** One entry that a leaving node handed over. */
export interface GivenRecord {
  readonly node: string;
  /** Id of the receiving node. */
  readonly to: string;
  readonly key: string;
  readonly at: Moment;
  readonly outcome: SimulatedOutcome;
  /** End of the entry's ttl in ms, as computed by the sender. */
  readonly endMs: number;
}

/** A lookup from a peer in a simulation, as seen by the node that answers. */
export interface ServedRecord {
  readonly node: string;
  readonly key: string;
  readonly begun: Moment;
  /** Whether the lookup was memory-only. */
  readonly isLook: boolean;
  settled?: Moment;
  outcome?: SimulatedOutcome;
  /** Remaining ttl that was sent with the value. */
  ttlMs?: number;
}

/** An invalidation from a peer that a simulated node applied. */
export interface AppliedRecord {
  readonly node: string;
  readonly target: PeerInvalidationTarget;
  readonly at: Moment;
}

/** A period of a simulation in which nodes disagreed about the membership, or a member was unreachable. */
export interface UnrestRecord {
  readonly from: Moment;
  to?: Moment;
}

/** The fetches of a key that still ran some time after its last waiter aborted. */
export interface AbandonmentRecord {
  readonly key: string;
  readonly at: Moment;
  /** Ids of fetches without waiters, begun before the abort, whose signal is not aborted. */
  readonly forgotten: readonly number[];
}

/** Counters and contents of a simulated node at the end, after all loads. */
export interface AccountRecord {
  readonly node: string;
  readonly gets: number;
  readonly cacheHits: number;
  readonly loads: number;
  readonly flights: number;
  readonly loadsDeduped: number;
  readonly peerLoads: number;
  readonly peerErrors: number;
  readonly warmLoads: number;
  readonly localLoads: number;
  readonly localLoadErrs: number;
  readonly serverRequests: number;
  readonly evictions: number;
  /** Number of keys in the main cache. */
  readonly mainItems: number;
  /** Number of keys that this node owns. */
  readonly ownedKeys: number;
}

/** All events of a simulation, the result of `runSimulation` and the input of `checkHistory`. */
export interface SimulationHistory {
  readonly gets: GetRecord[];
  readonly fetches: FetchRecord[];
  readonly invalidations: InvalidationRecord[];
  readonly questions: QuestionRecord[];
  readonly looks: LookRecord[];
  readonly given: GivenRecord[];
  readonly served: ServedRecord[];
  readonly applied: AppliedRecord[];
  readonly unrest: UnrestRecord[];
  readonly abandonments: AbandonmentRecord[];
  readonly accounts: AccountRecord[];
  /** Moment at which each incarnation crashed or had left. */
  readonly deaths: Map<string, Moment>;
  /** Moment at which each incarnation that left in good order began to leave. */
  readonly departures: Map<string, Moment>;
  /** Whether a node crashed, or left without handing all its missed invalidations to others. */
  debtsLost: boolean;
  /** Moment at which all nodes had been reachable long enough to deliver all retried invalidations; undefined if never. */
  peace?: Moment;
  /** Maximum of the charged bytes, by incarnation. */
  readonly peakBytes: Map<string, number>;
  /** Number of timers after all nodes were closed. */
  timersLeft: number;
}

/** Creates an empty history. */
export function createHistory(): SimulationHistory {
  return {
    gets: [],
    fetches: [],
    invalidations: [],
    questions: [],
    looks: [],
    given: [],
    served: [],
    applied: [],
    unrest: [],
    abandonments: [],
    accounts: [],
    deaths: new Map(),
    departures: new Map(),
    debtsLost: false,
    peakBytes: new Map(),
    timersLeft: 0,
  };
}

/** Numbers of the invariants that a simulation checks. ARCHITECTURE.md lists them. */
export type InvariantName = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I7" | "I8";

/** A violation of an invariant, found by `checkHistory`. */
export interface Violation {
  readonly invariant: InvariantName;
  readonly text: string;
}
