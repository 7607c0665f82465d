import type { CachePolicy } from "../cache-policy.ts";
import { resolvePolicy } from "../cache-policy.ts";
import { ParsecError } from "../errors.ts";
import type { GroupEngine } from "../group/group-engine.ts";
import type { GroupStats } from "../group-stats.ts";
import type { InvalidationResult } from "../invalidation/invalidation.ts";
import { describe } from "../option-checks.ts";
import type { PeerPicker } from "../peer.ts";
import type { DataSource } from "./data-source.ts";
import { getMany } from "./get-many.ts";
import { LocalNode, type NodeOptions } from "./node.ts";
import { type SourceCoding, sourceOrigin } from "./source-origin.ts";

/** Options of one data source. */
export interface DataSourceOptions<Input, Data> extends CachePolicy, SourceCoding<Input, Data> {}

/** A registered data source. Data are frozen to the bottom and shared; copy before changing them. */
export interface DataSourceHandle<Input, Data> {
  readonly name: string;
  /**
   * The data, fetched once per cluster for everyone who asks meanwhile; undefined when there are
   * none. Rejects with `ORIGIN_FAILED`, `TIMEOUT`, `PEER_UNREACHABLE` (with `onPeerFailure: "fail"`),
   * `CODEC_FAILED`, `KEY_TOO_LARGE`, `VALUE_TOO_LARGE`, `ABORTED` or `CLOSED`.
   */
  get(input: Input, options?: { readonly signal?: AbortSignal }): Promise<Data | undefined>;
  /** Several at once, in the order asked; rejects as the first failing `get` does. */
  getMany(
    inputs: readonly Input[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<(Data | undefined)[]>;
  /** What this node has in memory and fresh; asks nobody. */
  peek(input: Input): Data | undefined;
  /** Drops the input's key on every node. When it resolves, no node listed as acknowledged serves an older value. */
  invalidate(
    input: Input,
    options?: { readonly signal?: AbortSignal },
  ): Promise<InvalidationResult>;
  /** Drops everything that carries the tag, on every node. */
  invalidateTag(
    tag: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<InvalidationResult>;
  /** Drops everything of this source, on every node. */
  invalidateAll(options?: { readonly signal?: AbortSignal }): Promise<InvalidationResult>;
  stats(): GroupStats;
}

/** Who is in the cluster, as this node sees it. */
export interface ClusterStats {
  readonly selfUrl: string;
  /** Every member, this node first. */
  readonly peerUrls: readonly string[];
  readonly peerCount: number;
}

/** The data sources of one node, by name. */
export interface DataSourceRegistry {
  /** Adds a source; the same ones must be on every node. Throws `DUPLICATE_NAME` or `INVALID_ARGUMENT`. */
  register<Input, Data>(
    source: DataSource<Input, Data>,
    options?: DataSourceOptions<Input, Data>,
  ): DataSourceHandle<Input, Data>;
  /** As `handle.get`, for callers that only know names. Rejects with `NO_SUCH_GROUP` for an unknown one. */
  fetch(
    name: string,
    input: unknown,
    options?: { readonly signal?: AbortSignal },
  ): Promise<unknown>;
  /** The handle of a registered source, undefined when there is none. */
  get(name: string): DataSourceHandle<unknown, unknown> | undefined;
  /** Names in the order of registration. */
  names(): string[];
  /** Counters by source name. */
  stats(): Record<string, GroupStats>;
  getClusterStats(): ClusterStats;
  /** Replaces the membership; `urls` lists every node, this one included. */
  updatePeers(urls: readonly string[]): void;
  /** Lets peers finish, then ends everything under way with `CLOSED`. */
  close(): Promise<void>;
}

/** A registry of one node. To make it one of many, call {@link createDataSourceClusterRegistry} instead. */
export function createDataSourceRegistry(
  options: Omit<NodeOptions, "peers"> = {},
): DataSourceRegistry {
  return registryOver(new LocalNode(options));
}

/** A registry that shares its fetches with the other nodes `peers` reaches, such as `createHttpPeers({ … })`. */
export function createDataSourceClusterRegistry(
  options: NodeOptions & { readonly peers: PeerPicker },
): DataSourceRegistry {
  if (typeof options?.peers?.pick !== "function") {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `peers must be a peer picker, such as createHttpPeers({ … }), got ${describe(options?.peers)}`,
    );
  }
  return registryOver(new LocalNode(options));
}

function registryOver(directory: LocalNode): DataSourceRegistry {
  const handles = new Map<string, DataSourceHandle<unknown, unknown>>();
  const { picker } = directory.node;
  return {
    register(source, options = {}) {
      checkSource(source);
      const group = `datasource:${source.name}`;
      const policy = resolvePolicy(options);
      const origin = sourceOrigin(source, options);
      const handle = handleOver(source, directory.add(group, { policy, origin }));
      handles.set(source.name, handle as DataSourceHandle<unknown, unknown>);
      return handle;
    },
    fetch(name, input, options) {
      const handle = handles.get(name);
      return handle === undefined
        ? Promise.reject(
            new ParsecError("NO_SUCH_GROUP", `no data source is named ${describe(name)}`),
          )
        : handle.get(input, options);
    },
    get: (name) => handles.get(name),
    names: () => [...handles.keys()],
    stats: () => Object.fromEntries([...handles].map(([name, handle]) => [name, handle.stats()])),
    getClusterStats() {
      const peerUrls = [picker.selfId, ...picker.peers().map((peer) => peer.id)];
      return { selfUrl: picker.selfId, peerUrls, peerCount: peerUrls.length };
    },
    updatePeers: (urls) => directory.updatePeers(urls),
    close: () => directory.close(),
  };
}

function handleOver<Input, Data>(
  source: DataSource<Input, Data>,
  engine: GroupEngine<Input, Data>,
): DataSourceHandle<Input, Data> {
  // A source's own cacheKey may throw; get must reject, not throw.
  const get = (
    input: Input,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Data | undefined> => {
    try {
      return engine.get(source.cacheKey(input), input, options?.signal);
    } catch (error) {
      return Promise.reject(keyFailed(source.name, error));
    }
  };
  return {
    name: source.name,
    get,
    getMany: (inputs, options) => getMany(inputs, (input) => get(input, options)),
    peek: (input) => engine.peek(keyOf(source, input)),
    async invalidate(input, options) {
      return await engine.invalidate({ kind: "keys", keys: [keyOf(source, input)] }, options);
    },
    invalidateTag: (tag, options) => engine.invalidate({ kind: "tag", tag }, options),
    invalidateAll: (options) => engine.invalidate({ kind: "all" }, options),
    stats: () => engine.stats(),
  };
}

function keyOf<Input, Data>(source: DataSource<Input, Data>, input: Input): string {
  try {
    return source.cacheKey(input);
  } catch (error) {
    throw keyFailed(source.name, error);
  }
}

function keyFailed(name: string, error: unknown): ParsecError {
  return new ParsecError("INVALID_KEY", `cacheKey of ${name} failed: ${String(error)}`, {
    cause: error,
  });
}

function checkSource(source: unknown): void {
  if (typeof source !== "object" || source === null) {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `a data source must be an object, got ${describe(source)}`,
    );
  }
  const { name, cacheKey, fetch } = source as Partial<
    Record<keyof DataSource<never, never>, unknown>
  >;
  if (typeof name !== "string" || name === "" || name.length > 200) {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `a data source's name must be text of 1 to 200 characters, got ${describe(name)}`,
    );
  }
  for (const [method, given] of Object.entries({ cacheKey, fetch })) {
    if (typeof given === "function") continue;
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `${method} of data source ${name} must be a function, got ${describe(given)}`,
    );
  }
}
