import type { GroupEngine } from "../group/group-engine.ts";
import type { GroupStats } from "../group-stats.ts";
import type { InvalidationResult } from "../invalidation/invalidation.ts";
import { describe, invalidArgument, knownOptions, signalOption } from "../option-checks.ts";
import type { PeerInvalidationTarget } from "../peer.ts";
import { getMany } from "./get-many.ts";

/** Options of a call that waits. */
export interface CallOptions {
  /** Rejects this call alone with `ABORTED`; the load goes on for other callers. */
  readonly signal?: AbortSignal | undefined;
}

/** What a data source and a group of bytes have in common: cached data, by input. */
export interface CacheHandle<Input, Data> {
  readonly name: string;
  /**
   * The data for an input, from memory or loaded once per cluster for all concurrent callers; undefined
   * when the origin has none. Rejects with `ORIGIN_FAILED`, `TIMEOUT`, `PEER_UNREACHABLE` (with
   * `onPeerFailure: "fail"`), `CODEC_FAILED`, `INVALID_KEY`, `KEY_TOO_LARGE`, `VALUE_TOO_LARGE`, `ABORTED`
   * or `CLOSED`.
   */
  get(input: Input, options?: CallOptions): Promise<Data | undefined>;
  /** The data for any number of inputs, in the same order. Rejects with the error of the first `get` that fails. */
  getMany(inputs: readonly Input[], options?: CallOptions): Promise<(Data | undefined)[]>;
  /** The fresh data in this node's memory, without a load; undefined when there are none. */
  peek(input: Input): Data | undefined;
  /** Drops the input's key on every node. Once resolved, no node in `acknowledged` serves data fetched before the call. */
  invalidate(input: Input, options?: CallOptions): Promise<InvalidationResult>;
  /** Drops all entries with the tag, on every node. */
  invalidateTag(tag: string, options?: CallOptions): Promise<InvalidationResult>;
  /** Drops all entries, on every node. */
  invalidateAll(options?: CallOptions): Promise<InvalidationResult>;
  /** The counters on this node. */
  stats(): GroupStats;
}

/** A handle on an engine. `get` and `keyOf` turn the input into a key; only `keyOf` may throw. */
export function cacheHandle<Input, Data>(
  engine: GroupEngine<Input, Data>,
  parts: {
    readonly name: string;
    readonly get: CacheHandle<Input, Data>["get"];
    readonly keyOf: (input: Input) => string;
  },
): CacheHandle<Input, Data> {
  const { name, get, keyOf } = parts;
  const invalidate = async (
    target: PeerInvalidationTarget,
    options: CallOptions | undefined,
  ): Promise<InvalidationResult> => {
    const signal = signalOf(options) ?? undefined;
    if (signal !== undefined) signalOption(signal);
    return await engine.invalidate(target, { signal });
  };
  return {
    name,
    get,
    async getMany(inputs, options) {
      signalOf(options);
      return await getMany(inputs, (input) => get(input, options));
    },
    peek: (input) => engine.peek(keyOf(input)),
    async invalidate(input, options) {
      return await invalidate({ kind: "keys", keys: [keyOf(input)] }, options);
    },
    invalidateTag: (tag, options) => invalidate({ kind: "tag", tag }, options),
    invalidateAll: (options) => invalidate({ kind: "all" }, options),
    stats: () => engine.stats(),
  };
}

/** The signal of a call's options. Throws `INVALID_ARGUMENT` for other fields, and for a signal in place of the options. */
export function signalOf(options: CallOptions | undefined): AbortSignal | undefined {
  if (options === undefined || options === null) return undefined;
  // An object with nothing but a signal passes without another check: this runs for each hit.
  for (const name in options) {
    if (name !== "signal") checkCall(options);
  }
  return typeof options === "object" ? options.signal : checkCall(options);
}

function checkCall(options: CallOptions): undefined {
  if (typeof options !== "object" || "aborted" in options) {
    const given = typeof options === "object" ? "an AbortSignal" : describe(options);
    throw invalidArgument(`options of a call must be an object such as { signal }, got ${given}`);
  }
  knownOptions("a call", options, { signal: 1 });
}
