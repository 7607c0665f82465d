import {
  choiceOption,
  describe,
  invalidArgument,
  knownOptions,
  numberOption,
  type OptionNames,
  rangeOption,
  wholeOption,
} from "./option-checks.ts";

/** Which keys of other nodes are hot: popular enough for a copy in this node's hot cache. */
export interface HotPolicy {
  /** A key is hot from this many requests per minute on, as measured by this node or reported by the owner. Defaults to 10; 0 makes every key hot. */
  readonly minRatePerMinute?: number;
}

/** How often a failing origin is asked. Times in milliseconds. */
export interface OriginBreakerPolicy {
  /** Backoff of a key after its second failure in a row, or its first with a stale value at hand. It doubles with each further one, less a jitter of up to half. Defaults to 100. */
  readonly errorTtlMs?: number;
  /** Longest backoff of a key and of the circuit breaker. Defaults to 5,000. */
  readonly maxErrorTtlMs?: number;
  /** Different keys that fail in a row, without a success, and open the circuit breaker; a timeout counts as four. Defaults to 20. */
  readonly failures?: number;
}

/** {@link OriginBreakerPolicy} with defaults filled in. */
export interface OriginBreakerSettings {
  /** 0 when it is turned off. */
  readonly errorTtlMs: number;
  readonly maxErrorTtlMs: number;
  /** Infinity when it is turned off. */
  readonly failures: number;
}

/** Caching options of one group or data source. Use the same on all nodes. Sizes in bytes, times in milliseconds. */
export interface CachePolicy {
  /** Budget of the group's main and hot cache together on this node: keys, values and overhead. Defaults to 64 MiB. */
  readonly maxBytes?: number;
  /** Time to live: how long a value is fresh. Defaults to Infinity: until it is invalidated or evicted. */
  readonly ttlMs?: number;
  /** Shortens each ttl at random by up to this fraction, so that values fetched together do not expire together. From 0 to 1; defaults to 0.1. */
  readonly ttlJitter?: number;
  /** Serve stale for this long after expiry while one refresh runs in the background. Defaults to 0. */
  readonly staleWhileRevalidateMs?: number;
  /** Serve stale for this long after expiry when the origin fails. Defaults to 0. */
  readonly staleIfErrorMs?: number;
  /** How long the absence of a value is cached, after the origin returned undefined. Defaults to 0: not at all. */
  readonly negativeTtlMs?: number;
  /** Time limit of a call, fallback owner and local load included, and of one origin fetch. Defaults to 10,000. */
  readonly timeoutMs?: number;
  /** Keeps copies of popular values that other nodes own; `false` turns the hot cache off. */
  readonly hot?: HotPolicy | false;
  /** When the owner is unreachable or overloaded: `"load"` tries the fallback owner, then the origin from this node; `"fail"` rejects with `PEER_UNREACHABLE` or `OVERLOADED`. Defaults to `"load"`. */
  readonly onPeerFailure?: "load" | "fail";
  /** Concurrent origin fetches of this node for keys that other nodes own; further ones wait. Defaults to 64. */
  readonly maxFallbackLoads?: number;
  /**
   * Backoff and circuit breaker of the origin on each node. Meanwhile calls get the error of the last fetch, or the
   * stale value within `staleIfErrorMs`, at once. `false` asks a failing origin for each call.
   */
  readonly originBreaker?: OriginBreakerPolicy | false;
  /**
   * Version of the data and their encoding: letters, digits, `.`, `_` and `-`. Nodes with different versions never read
   * each other's values; invalidations reach all versions. Change it with a codec or the shape of the data. Defaults to none.
   */
  readonly version?: string | number;
  /** Longest key, in bytes of UTF-8; longer ones fail with `KEY_TOO_LARGE`. Defaults to 1,024. */
  readonly maxKeyBytes?: number;
  /** Largest encoded value; larger ones fail with `VALUE_TOO_LARGE`. Defaults to 16 MiB. A value larger than `maxBytes` is served and not cached. */
  readonly maxValueBytes?: number;
}

/** A {@link CachePolicy} with defaults filled in. */
export interface ResolvedPolicy {
  readonly maxBytes: number;
  readonly ttlMs: number;
  readonly ttlJitter: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  readonly negativeTtlMs: number;
  readonly timeoutMs: number;
  /** Infinity when there is no hot cache. */
  readonly hotFromRatePerMinute: number;
  readonly onPeerFailure: "load" | "fail";
  readonly maxFallbackLoads: number;
  readonly originBreaker: OriginBreakerSettings;
  /** Empty for none. */
  readonly version: string;
  readonly maxKeyBytes: number;
  readonly maxValueBytes: number;
}

const mebibyte = 2 ** 20;
const aYearMs = 366 * 24 * 3600 * 1000;

/** The fields of a {@link CachePolicy}, for the check of unknown options. */
export const policyNames: OptionNames<CachePolicy> = {
  maxBytes: 1,
  ttlMs: 1,
  ttlJitter: 1,
  staleWhileRevalidateMs: 1,
  staleIfErrorMs: 1,
  negativeTtlMs: 1,
  timeoutMs: 1,
  hot: 1,
  onPeerFailure: 1,
  maxFallbackLoads: 1,
  originBreaker: 1,
  version: 1,
  maxKeyBytes: 1,
  maxValueBytes: 1,
};

/** Checks a policy and fills in its defaults. Throws `INVALID_ARGUMENT` naming the field and its range. */
export function resolvePolicy(policy: CachePolicy): ResolvedPolicy {
  if (typeof policy !== "object" || policy === null) {
    throw invalidArgument(`options must be an object, got ${describe(policy)}`);
  }
  const maxBytes = numberOption("maxBytes", {
    given: policy.maxBytes,
    fallback: 64 * mebibyte,
    min: 0,
    max: 16 * 1024 * mebibyte,
  });
  const duration = (name: keyof CachePolicy & `${string}Ms`, fallback: number): number =>
    numberOption(name, { given: policy[name], fallback, min: 0, max: Number.POSITIVE_INFINITY });
  return {
    maxBytes,
    ttlMs: duration("ttlMs", Number.POSITIVE_INFINITY),
    ttlJitter: numberOption("ttlJitter", {
      given: policy.ttlJitter,
      fallback: 0.1,
      min: 0,
      max: 1,
    }),
    staleWhileRevalidateMs: duration("staleWhileRevalidateMs", 0),
    staleIfErrorMs: duration("staleIfErrorMs", 0),
    negativeTtlMs: duration("negativeTtlMs", 0),
    timeoutMs: numberOption("timeoutMs", {
      given: policy.timeoutMs,
      fallback: 10_000,
      min: 1,
      max: aYearMs,
    }),
    hotFromRatePerMinute: resolveHot(policy.hot),
    onPeerFailure: choiceOption("onPeerFailure", {
      given: policy.onPeerFailure,
      choices: ["load", "fail"],
    }),
    maxFallbackLoads: numberOption("maxFallbackLoads", {
      given: policy.maxFallbackLoads,
      fallback: 64,
      min: 1,
      max: 1_000_000,
    }),
    originBreaker: resolveBreaker(policy.originBreaker),
    version: resolveVersion(policy.version),
    maxKeyBytes: numberOption("maxKeyBytes", {
      given: policy.maxKeyBytes,
      fallback: 1024,
      min: 1,
      max: 65_535,
    }),
    maxValueBytes: numberOption("maxValueBytes", {
      given: policy.maxValueBytes,
      fallback: 16 * mebibyte,
      min: 0,
      max: 512 * mebibyte,
    }),
  };
}

function resolveBreaker(given: OriginBreakerPolicy | false | undefined): OriginBreakerSettings {
  if (given === false) {
    return { errorTtlMs: 0, maxErrorTtlMs: 5_000, failures: Number.POSITIVE_INFINITY };
  }
  const policy = given ?? {};
  knownOptions("originBreaker", policy, { errorTtlMs: 1, maxErrorTtlMs: 1, failures: 1 });
  const errorTtlMs = rangeOption(
    "originBreaker.errorTtlMs",
    policy.errorTtlMs,
    [100, 1, 3_600_000],
  );
  return {
    errorTtlMs,
    maxErrorTtlMs: rangeOption("originBreaker.maxErrorTtlMs", policy.maxErrorTtlMs, [
      Math.max(5_000, errorTtlMs),
      errorTtlMs,
      3_600_000,
    ]),
    failures: wholeOption("originBreaker.failures", policy.failures, [20, 1, 1_000_000]),
  };
}

function resolveVersion(version: string | number | undefined): string {
  if (version === undefined) return "";
  const text = typeof version === "number" ? String(version) : version;
  if (typeof text === "string" && /^[\w.-]{1,40}$/.test(text)) return text;
  throw invalidArgument(
    `version must have 1 to 40 letters, digits, ".", "_" or "-", got ${describe(version)}`,
  );
}

function resolveHot(hot: HotPolicy | false | undefined): number {
  if (hot === false) return Number.POSITIVE_INFINITY;
  if (hot !== undefined && (typeof hot !== "object" || hot === null)) {
    throw invalidArgument(`hot must be false or an object, got ${describe(hot)}`);
  }
  if (hot !== undefined) knownOptions("hot", hot, { minRatePerMinute: 1 });
  return numberOption("hot.minRatePerMinute", {
    given: hot?.minRatePerMinute,
    fallback: 10,
    min: 0,
    max: Number.POSITIVE_INFINITY,
  });
}
