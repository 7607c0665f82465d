import { ParsecError } from "./errors.ts";
import { choiceOption, describe, numberOption } from "./option-checks.ts";

/** When a value that another node owns is copied into this node's hot cache. */
export interface HotPolicy {
  /** Requests per minute, measured by this node or reported by the owner, from which a key is hot. Defaults to 10. */
  readonly minRatePerMinute?: number;
}

/** How one group (or one data source) caches. All nodes should say the same. */
export interface CachePolicy {
  /** Budget for both caches of the group on this node: keys, values and overhead. Defaults to 64 MiB. */
  readonly maxBytes?: number;
  /** How long a value is fresh. Defaults to Infinity: until it is invalidated or evicted. */
  readonly ttlMs?: number;
  /** Shortens each ttl by a random part of up to this fraction, so that values fetched together do not expire together. Defaults to 0.1. */
  readonly ttlJitter?: number;
  /** For so long after its ttl a value is still served, while one fetch renews it. Defaults to 0. */
  readonly staleWhileRevalidateMs?: number;
  /** For so long after its ttl a value is served when the origin fails. Defaults to 0. */
  readonly staleIfErrorMs?: number;
  /** How long "the origin has none" is remembered. Defaults to 0: not at all. */
  readonly negativeTtlMs?: number;
  /** The longest a caller waits, fallback included, and an origin may take. Defaults to 10,000. */
  readonly timeoutMs?: number;
  /** Copies of popular keys that other nodes own; `false` for none. */
  readonly hot?: HotPolicy | false;
  /** When the owner cannot be reached: `"load"` asks the origin from here, `"fail"` rejects. Defaults to `"load"`. */
  readonly onPeerFailure?: "load" | "fail";
  /** Fetches under way at once in the place of owners out of reach; further ones wait. Defaults to 64. */
  readonly maxFallbackLoads?: number;
  /** Longest key in bytes of UTF-8. Defaults to 1,024. */
  readonly maxKeyBytes?: number;
  /** Largest encoded value, cached or not. Defaults to 16 MiB. What does not fit `maxBytes` is served and not kept. */
  readonly maxValueBytes?: number;
}

/** A {@link CachePolicy} with every field decided. */
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
  readonly maxKeyBytes: number;
  readonly maxValueBytes: number;
}

const mebibyte = 2 ** 20;
const aYearMs = 366 * 24 * 3600 * 1000;

/** Checks and completes a policy; throws `INVALID_ARGUMENT` that names the field and its limits. */
export function resolvePolicy(policy: CachePolicy): ResolvedPolicy {
  if (typeof policy !== "object" || policy === null) {
    throw new ParsecError("INVALID_ARGUMENT", `options must be an object, got ${describe(policy)}`);
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

function resolveHot(hot: HotPolicy | false | undefined): number {
  if (hot === false) return Number.POSITIVE_INFINITY;
  if (hot !== undefined && (typeof hot !== "object" || hot === null)) {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `hot must be false or an object, got ${describe(hot)}`,
    );
  }
  return numberOption("hot.minRatePerMinute", {
    given: hot?.minRatePerMinute,
    fallback: 10,
    min: 0,
    max: Number.POSITIVE_INFINITY,
  });
}
