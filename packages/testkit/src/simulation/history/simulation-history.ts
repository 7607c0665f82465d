import type { ParsecErrorCode, PeerInvalidationTarget } from "@parsec/core";

/** A point of a run: `step` orders everything, `atMs` is the virtual time. */
export interface Moment {
  readonly step: number;
  readonly atMs: number;
}

/** How a request ended. A value names the fetch it came from. */
export type SimulatedOutcome =
  | { readonly kind: "value"; readonly fetch: number; readonly version: number }
  | { readonly kind: "absent" }
  | {
      readonly kind: "error";
      readonly code: ParsecErrorCode | "FOREIGN";
      readonly message: string;
    };

/** A request of a caller. */
export interface GetRecord {
  readonly id: number;
  /** Node and incarnation, such as `n0#1`: a restarted node remembers nothing. */
  readonly node: string;
  readonly key: string;
  readonly begun: Moment;
  /** `peek` looks into memory only; the parts of a `getMany` end together. */
  readonly how: "get" | "getMany" | "peek";
  /** When the caller's own signal fired. */
  aborted?: Moment;
  settled?: Moment;
  outcome?: SimulatedOutcome;
  /** Part of a `getMany` that rejected: how this key fared was not said. */
  unknown?: true;
}

/** One call of the source. */
export interface FetchRecord {
  readonly id: number;
  readonly node: string;
  readonly key: string;
  readonly begun: Moment;
  /** What the origin held when the fetch began. */
  readonly version: number;
  /** When the signal it was given fired. */
  signalled?: Moment;
  ended?: Moment;
  /** `nonsense`: something came that cannot be cached. */
  outcome?: "value" | "absent" | "failed" | "nonsense";
}

/** One invalidation, as its caller sees it. */
export interface InvalidationRecord {
  readonly id: number;
  readonly node: string;
  readonly target: PeerInvalidationTarget;
  readonly begun: Moment;
  /** What the origin held when it began, by key. */
  readonly versions: ReadonlyMap<string, number>;
  settled?: Moment;
  /** Nodes that can no longer serve what was there before, once it has settled. */
  acknowledged?: readonly string[];
  /** Ids named as not told. */
  failed?: readonly string[];
  /** Ids that were members throughout and are in neither list. */
  unnamed?: readonly string[];
  /** Why it rejected, if it did. */
  error?: string;
}

/** A lookup as its asker sees it. */
export interface QuestionRecord {
  readonly node: string;
  readonly key: string;
  readonly begun: Moment;
  /** Requests of callers for the key that were open on the asking node. */
  readonly onBehalfOf: number;
  settled?: Moment;
  code?: ParsecErrorCode | "FOREIGN";
}

/** A look into the memory of a key's former owner, as the node that is new sees it. */
export interface LookRecord {
  readonly node: string;
  readonly key: string;
  readonly begun: Moment;
  settled?: Moment;
  /** What was there; undefined for nothing. */
  outcome?: SimulatedOutcome;
}

/** What a node that leaves gave to another. */
export interface GivenRecord {
  readonly node: string;
  /** Id of the node it was sent to. */
  readonly to: string;
  readonly key: string;
  readonly at: Moment;
  readonly outcome: SimulatedOutcome;
  /** When its time is over, as the giver sees it. */
  readonly endMs: number;
}

/** A lookup as the node sees it that was asked. */
export interface ServedRecord {
  readonly node: string;
  readonly key: string;
  readonly begun: Moment;
  /** Whether it was asked for what is in its memory alone. */
  readonly isLook: boolean;
  settled?: Moment;
  outcome?: SimulatedOutcome;
  /** Remaining time to live that went with a value. */
  ttlMs?: number;
}

/** An invalidation that reached a node from a peer. */
export interface AppliedRecord {
  readonly node: string;
  readonly target: PeerInvalidationTarget;
  readonly at: Moment;
}

/** A stretch in which nodes disagreed about the membership, or one of it could not be reached. */
export interface UnrestRecord {
  readonly from: Moment;
  to?: Moment;
}

/** What a moment after the last waiter of a key gave up still ran for it. */
export interface AbandonmentRecord {
  readonly key: string;
  readonly at: Moment;
  /** Fetches that nobody waits for, begun before the abort, whose signal has not fired. */
  readonly forgotten: readonly number[];
}

/** A node's account at the end, all loads over. */
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
  /** Keys kept as the owner. */
  readonly mainItems: number;
  /** Keys this node owns. */
  readonly ownedKeys: number;
}

/** Everything that happened in a run. */
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
  /** When each node died that crashed, or was gone that left. */
  readonly deaths: Map<string, Moment>;
  /** When all nodes had reached one another for long enough to have told each other everything; undefined if never. */
  peace?: Moment;
  /** The most bytes seen in each node's group. */
  readonly peakBytes: Map<string, number>;
  /** Timers left after every node was closed. */
  timersLeft: number;
}

/** A history in which nothing has happened yet. */
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
    peakBytes: new Map(),
    timersLeft: 0,
  };
}

/** The invariants a simulation checks. */
export type InvariantName = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I7" | "I8";

/** Something the invariants forbid. */
export interface Violation {
  readonly invariant: InvariantName;
  readonly text: string;
}
