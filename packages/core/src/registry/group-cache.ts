import { type CachePolicy, resolvePolicy } from "../cache-policy.ts";
import type { GroupEngine } from "../group/group-engine.ts";
import { type Origin, originFailed } from "../group/origin.ts";
import type { GroupStats } from "../group-stats.ts";
import type { InvalidationResult } from "../invalidation/invalidation.ts";
import { absentTag } from "../invalidation/tag-index.ts";
import { describe, functionOption } from "../option-checks.ts";
import { bytesCodec } from "./codec.ts";
import { getMany } from "./get-many.ts";
import { LocalNode, type NodeOptions } from "./node.ts";

/** Loads the value of a key from the origin, as bytes or text; undefined when there is none. `signal` fires on timeout or when no callers are left. */
export type GroupLoader = (
  key: string,
  context: { readonly signal: AbortSignal },
) => Promise<Uint8Array | string | undefined> | Uint8Array | string | undefined;

/** Options of one group of a {@link GroupCache}: its loader, its tags and its {@link CachePolicy}. */
export interface GroupOptions extends CachePolicy {
  /** Called on the node that owns the key, once per cluster. */
  readonly load: GroupLoader;
  /** Tags for `invalidateTag`, computed from a key and its value. */
  readonly tags?: (key: string, value: Uint8Array) => readonly string[];
}

/** A cache from keys to bytes, filled by its loader. Corresponds to a Group of Go's groupcache. */
export interface Group {
  readonly name: string;
  /**
   * The value of a key, from memory or loaded once for all concurrent callers; undefined when the loader
   * returns none. The bytes belong to the caller. The key `""` is never cached. Rejects with `ORIGIN_FAILED`,
   * `TIMEOUT`, `PEER_UNREACHABLE` (with `onPeerFailure: "fail"`), `KEY_TOO_LARGE`, `VALUE_TOO_LARGE`, `ABORTED` or `CLOSED`.
   */
  get(key: string, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array | undefined>;
  /** The values of several keys, in the same order. Rejects with the error of the first `get` that fails. */
  getMany(
    keys: readonly string[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<(Uint8Array | undefined)[]>;
  /** The fresh value in this node's memory, without a load; undefined when there is none. */
  peek(key: string): Uint8Array | undefined;
  /** Drops the key on every node. Once resolved, no node in `acknowledged` serves a value fetched before the call. */
  invalidate(key: string, options?: { readonly signal?: AbortSignal }): Promise<InvalidationResult>;
  /** Drops all entries with the tag, on every node. */
  invalidateTag(
    tag: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<InvalidationResult>;
  /** Drops the whole group, on every node. */
  invalidateAll(options?: { readonly signal?: AbortSignal }): Promise<InvalidationResult>;
  /** The group's counters on this node. */
  stats(): GroupStats;
}

/** The groups of one node, by name. Create it with `createGroupCache`. */
export interface GroupCache {
  /** Registers a group. Register the same groups on every node. Throws `DUPLICATE_NAME` or `INVALID_ARGUMENT`. */
  group(name: string, options: GroupOptions): Group;
  /** Names in order of registration. */
  names(): string[];
  /** Counters by group name. */
  stats(): Record<string, GroupStats>;
  /** Replaces the membership. `ids` must list every node, this one included. Throws `INVALID_ARGUMENT`. */
  updatePeers(ids: readonly string[]): void;
  /** Graceful shutdown: hands entries over to peers, lets their requests finish, then rejects pending calls with `CLOSED`. */
  close(): Promise<void>;
}

/**
 * Creates a cache of keys and bytes: for one process, or with `peers` for a cluster. For typed data use
 * `createDataSourceRegistry`. Throws `INVALID_ARGUMENT`.
 */
export function createGroupCache(options: NodeOptions = {}): GroupCache {
  const directory = new LocalNode(options);
  return {
    group(name, groupOptions) {
      const policy = resolvePolicy(groupOptions);
      const origin = bytesOrigin(name, groupOptions);
      return groupOver(directory.add(name, { policy, origin }));
    },
    names: () => directory.names(),
    stats: () => directory.stats(),
    updatePeers: (ids) => directory.updatePeers(ids),
    close: () => directory.close(),
  };
}

function bytesOrigin(name: string, options: GroupOptions): Origin<string, Uint8Array> {
  const { load, tags } = options;
  functionOption("load", load);
  if (tags !== undefined) functionOption("tags", tags);
  return {
    shared: false,
    emptyKeyHasOwner: true,
    decode: bytesCodec.decode,
    encodeInput: () => undefined,
    async load(key, context) {
      try {
        return asBytes(await load(key, context));
      } catch (error) {
        throw originFailed(name, error);
      }
    },
    tags({ key, value }) {
      if (tags === undefined) return [];
      return value === undefined ? [absentTag] : tags(key, bytesCodec.decode(value));
    },
  };
}

function asBytes(value: unknown): Uint8Array | undefined {
  if (value === undefined || value instanceof Uint8Array) return value;
  if (typeof value === "string") return Buffer.from(value, "utf8");
  throw new TypeError(`load must return bytes, a string or undefined, got ${describe(value)}`);
}

function groupOver(engine: GroupEngine<string, Uint8Array>): Group {
  return {
    name: engine.name,
    get: (key, options) => engine.get(key, key, options?.signal),
    getMany: (keys, options) => getMany(keys, (key) => engine.get(key, key, options?.signal)),
    peek: (key) => engine.peek(key),
    invalidate: (key, options) => engine.invalidate({ kind: "keys", keys: [key] }, options),
    invalidateTag: (tag, options) => engine.invalidate({ kind: "tag", tag }, options),
    invalidateAll: (options) => engine.invalidate({ kind: "all" }, options),
    stats: () => engine.stats(),
  };
}
