import { type CachePolicy, policyNames, resolvePolicy } from "../cache-policy.ts";
import { type Origin, originFailed } from "../group/origin.ts";
import type { GroupStats } from "../group-stats.ts";
import { absentTag } from "../invalidation/absent-tag.ts";
import { describe, functionOption, knownOptions } from "../option-checks.ts";
import { type CacheHandle, cacheHandle, signalOf } from "./cache-handle.ts";
import { bytesCodec } from "./codec.ts";
import { LocalNode, type NodeOptions, nodeNames } from "./node.ts";

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

/**
 * A cache from keys to bytes, filled by its loader. Corresponds to a Group of Go's groupcache. The bytes
 * that `get` returns belong to the caller. The key `""` is never cached.
 */
export interface Group extends CacheHandle<string, Uint8Array> {}

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
  knownOptions("createGroupCache", options, nodeNames);
  const directory = new LocalNode(options);
  return {
    group(name, groupOptions) {
      knownOptions("group", groupOptions, { ...policyNames, load: 1, tags: 1 });
      const policy = resolvePolicy(groupOptions);
      const origin = bytesOrigin(name, groupOptions);
      const engine = directory.add(name, { policy, origin });
      return cacheHandle(engine, {
        name,
        get(key, options) {
          try {
            return engine.get(key, key, signalOf(options));
          } catch (error) {
            return Promise.reject(error);
          }
        },
        keyOf: (key) => key,
      });
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
