// For users.

// For authors of transports and tools.
export type { Clock } from "./clock.ts";
export { createSystemClock } from "./clock.ts";
export type { ClusterConfig } from "./cluster-config.ts";
export { clusterConfigFromEnv } from "./cluster-config.ts";
export type { Codec } from "./codec.ts";
export { bytesCodec, jsonCodec, textCodec } from "./codec.ts";
export { createPlacement } from "./create-placement.ts";
export type { DataSource } from "./data-source.ts";
export type { ParsecErrorCode } from "./errors.ts";
export { isParsecError, ParsecError } from "./errors.ts";
export type { Group, GroupCache, GroupLoader, GroupOptions } from "./group-cache.ts";
export { createGroupCache } from "./group-cache.ts";
export type { NodeOptions } from "./group-directory.ts";
export type { CachePolicy, HotPolicy } from "./group-options.ts";
export type { CacheStats, GroupStats } from "./group-stats.ts";
export type { InvalidationResult } from "./invalidation.ts";
export { keyFromBytes, keyToBytes } from "./key-bytes.ts";
export { choiceOption, describe, numberOption } from "./option-checks.ts";
export type {
  Peer,
  PeerAnswer,
  PeerCallOptions,
  PeerFailure,
  PeerHost,
  PeerInvalidation,
  PeerInvalidationTarget,
  PeerLookup,
  PeerPicker,
} from "./peer.ts";
export type { Placement, PlacementName } from "./placement.ts";
export type {
  ClusterStats,
  DataSourceHandle,
  DataSourceOptions,
  DataSourceRegistry,
} from "./registry.ts";
export { createDataSourceClusterRegistry, createDataSourceRegistry } from "./registry.ts";
export type { SourceCoding } from "./source-origin.ts";
