import { type CachePolicy, policyNames, resolvePolicy } from "../cache-policy.ts";
import { messageOf, ParsecError } from "../errors.ts";
import type { GroupEngine } from "../group/group-engine.ts";
import type { GroupStats } from "../group-stats.ts";
import {
  describe,
  invalidArgument,
  knownOptions,
  nearestName,
  type OptionNames,
} from "../option-checks.ts";
import type { PeerPicker } from "../peer.ts";
import { type CacheHandle, type CallOptions, cacheHandle, signalOf } from "./cache-handle.ts";
import type { DataSource } from "./data-source.ts";
import { LocalNode, type NodeOptions, nodeNames } from "./node.ts";
import { type SourceCoding, sourceOrigin } from "./source-origin.ts";

/** Options of one data source: its {@link CachePolicy}, codec and tags. */
export interface DataSourceOptions<Input, Data> extends CachePolicy, SourceCoding<Input, Data> {}

/** A registered data source. Data are deeply frozen and shared between callers: copy them before changing them. */
export interface DataSourceHandle<Input, Data> extends CacheHandle<Input, Data> {}

/** The members of the cluster, as this node sees them. */
export interface ClusterStats {
  readonly selfUrl: string;
  /** Every member, this node first. */
  readonly peerUrls: readonly string[];
  readonly peerCount: number;
}

/** The data sources of one node, by name. Create it with `createDataSourceRegistry` or `createDataSourceClusterRegistry`. */
export interface DataSourceRegistry {
  /** Registers a data source. Register the same ones on every node. Throws `DUPLICATE_NAME` or `INVALID_ARGUMENT`. */
  register<Input, Data>(
    source: DataSource<Input, Data>,
    options?: DataSourceOptions<Input, Data>,
  ): DataSourceHandle<Input, Data>;
  /** Like `get` of the handle, by name. Rejects with `NO_SUCH_GROUP` for an unknown name. */
  fetch(name: string, input: unknown, options?: CallOptions): Promise<unknown>;
  /** The handle of a registered data source; undefined for an unknown name. */
  get(name: string): DataSourceHandle<unknown, unknown> | undefined;
  /** Names in order of registration. */
  names(): string[];
  /** Counters by data source name. */
  stats(): Record<string, GroupStats>;
  /** The members of the cluster. */
  getClusterStats(): ClusterStats;
  /** Replaces the membership. `urls` must list every node, this one included. Throws `INVALID_ARGUMENT`. */
  updatePeers(urls: readonly string[]): void;
  /** Graceful shutdown: hands entries over to peers, lets their requests finish, then rejects pending calls with `CLOSED`. */
  close(): Promise<void>;
}

/** Creates a registry for a single process. For a cluster use {@link createDataSourceClusterRegistry}. Throws `INVALID_ARGUMENT`. */
export function createDataSourceRegistry(
  options: Omit<NodeOptions, "peers"> = {},
): DataSourceRegistry {
  return registryOver("createDataSourceRegistry", options);
}

/** Creates a registry that shares its fetches with the nodes of `peers`, such as `createHttpPeers({ … })`. Throws `INVALID_ARGUMENT`. */
export function createDataSourceClusterRegistry(
  options: NodeOptions & { readonly peers: PeerPicker },
): DataSourceRegistry {
  if (typeof options?.peers?.pick !== "function") {
    throw invalidArgument(
      `peers must be a transport, such as createHttpPeers({ … }), got ${describe(options?.peers)}`,
    );
  }
  return registryOver("createDataSourceClusterRegistry", options);
}

function registryOver(factory: string, options: NodeOptions): DataSourceRegistry {
  knownOptions(factory, options, nodeNames);
  const directory = new LocalNode(options);
  const handles = new Map<string, DataSourceHandle<unknown, unknown>>();
  const { picker } = directory.node;
  return {
    register(source, options = {}) {
      checkSource(source);
      const group = `datasource:${source.name}`;
      knownOptions("register", options, { ...policyNames, codec: 1, tags: 1 });
      const policy = resolvePolicy(options);
      const origin = sourceOrigin(source, options);
      const handle = handleOver(source, directory.add(group, { policy, origin }));
      handles.set(source.name, handle as DataSourceHandle<unknown, unknown>);
      return handle;
    },
    fetch(name, input, options) {
      const handle = handles.get(name);
      return handle === undefined
        ? Promise.reject(new ParsecError("NO_SUCH_GROUP", `no such data source: ${describe(name)}`))
        : handle.get(input, options);
    },
    get: (name) => handles.get(name),
    names: () => [...handles.keys()],
    stats: () => Object.fromEntries([...handles].map(([name, handle]) => [name, handle.stats()])),
    getClusterStats() {
      const others = picker.peers().filter((peer) => peer.isWorker !== true);
      const peerUrls = [picker.selfId, ...others.map((peer) => peer.id)];
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
  const { name } = source;
  const keyFailed = (error: unknown): ParsecError =>
    new ParsecError("INVALID_KEY", `${name}: cacheKey failed: ${messageOf(error)}`, {
      cause: error,
    });
  const keyOf = (input: Input): string => {
    try {
      return source.cacheKey(input);
    } catch (error) {
      throw keyFailed(error);
    }
  };
  return cacheHandle(engine, {
    name,
    // cacheKey is the user's code and may throw: get must reject instead.
    get(input, options) {
      try {
        return engine.get(keyOf(input), input, signalOf(options));
      } catch (error) {
        return Promise.reject(error);
      }
    },
    keyOf,
  });
}

const sourceNames: OptionNames<DataSource<never, never>> = {
  name: 1,
  cacheKey: 1,
  cacheInput: 1,
  inputFromKey: 1,
  fetch: 1,
};

function checkSource(source: unknown): void {
  if (typeof source !== "object" || source === null) {
    throw invalidArgument(`data source must be an object, got ${describe(source)}`);
  }
  const { name, cacheKey, fetch } = source as Partial<
    Record<keyof DataSource<never, never>, unknown>
  >;
  if (typeof name !== "string" || name === "" || name.length > 200) {
    throw invalidArgument(
      `data source name must be a string of 1 to 200 characters, got ${describe(name)}`,
    );
  }
  for (const [method, given] of Object.entries({ cacheKey, fetch })) {
    if (typeof given === "function") continue;
    throw invalidArgument(`${name}: ${method} must be a function, got ${describe(given)}`);
  }
  // A source may have fields of its own, which its methods use.
  for (const [field, given] of Object.entries(source)) {
    if (given === undefined || Object.hasOwn(sourceNames, field)) continue;
    if (Object.hasOwn(policyNames, field)) {
      throw invalidArgument(`${name}: ${field} is an option of register's second argument`);
    }
    const near = /^(cache.?(input|key)|input.?from.?key)s?$/i.test(field)
      ? nearestName(field, Object.keys(sourceNames))
      : undefined;
    if (near !== undefined) {
      throw invalidArgument(
        `${name}: ${field} is not a field of a data source; did you mean ${near}?`,
      );
    }
  }
}
