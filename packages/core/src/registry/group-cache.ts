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

/** Gets the bytes of a key from where they live; undefined means there are none. */
export type GroupLoader = (
  key: string,
  context: { readonly signal: AbortSignal },
) => Promise<Uint8Array | string | undefined> | Uint8Array | string | undefined;

export interface GroupOptions extends CachePolicy {
  readonly load: GroupLoader;
  /** Labels for `invalidateTag`, from a key and its value. */
  readonly tags?: (key: string, value: Uint8Array) => readonly string[];
}

/** A cache of keys to bytes, filled by its loader: what a user of Go's groupcache knows as a Group. */
export interface Group {
  readonly name: string;
  /**
   * The value, loaded once for everyone who asks meanwhile; undefined when the loader has none. The
   * bytes are the caller's own. `""` is asked for each time and never kept. Rejects with `ORIGIN_FAILED`,
   * `TIMEOUT`, `PEER_UNREACHABLE` (with `onPeerFailure: "fail"`), `KEY_TOO_LARGE`, `VALUE_TOO_LARGE`, `ABORTED` or `CLOSED`.
   */
  get(key: string, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array | undefined>;
  /** Several at once, in the order asked; rejects as the first failing `get` does. */
  getMany(
    keys: readonly string[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<(Uint8Array | undefined)[]>;
  /** What this node has in memory and fresh; asks nobody. */
  peek(key: string): Uint8Array | undefined;
  /** Drops the key on every node. When it resolves, no node listed as acknowledged serves an older value. */
  invalidate(key: string, options?: { readonly signal?: AbortSignal }): Promise<InvalidationResult>;
  /** Drops everything that carries the tag, on every node. */
  invalidateTag(
    tag: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<InvalidationResult>;
  /** Drops the whole group, on every node. */
  invalidateAll(options?: { readonly signal?: AbortSignal }): Promise<InvalidationResult>;
  stats(): GroupStats;
}

/** The groups of one node. */
export interface GroupCache {
  /** Adds a group. The same groups must exist on every node. Throws `DUPLICATE_NAME` or `INVALID_ARGUMENT`. */
  group(name: string, options: GroupOptions): Group;
  names(): string[];
  stats(): Record<string, GroupStats>;
  /** Replaces the membership; `ids` lists every node, this one included. */
  updatePeers(ids: readonly string[]): void;
  /** Lets peers finish, then ends everything under way with `CLOSED`. */
  close(): Promise<void>;
}

/** A node of keys and bytes; give it `peers` and it is one of many. For typed data see `createDataSourceRegistry`. */
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
  throw new TypeError(`the loader returned ${describe(value)}, not bytes, text or undefined`);
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
