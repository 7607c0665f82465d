// For users of a cache. Transports need `@parsec/core/transport` as well, other packages on top `@parsec/core/authoring`.

export type { CachePolicy, HotPolicy, OriginBreakerPolicy } from "./cache-policy.ts";
export type { Clock } from "./clock.ts";
export type { ClusterConfig } from "./discovery/cluster-config.ts";
export { clusterConfigFromEnv } from "./discovery/cluster-config.ts";
export type { DnsDiscovery, DnsDiscoveryStats } from "./discovery/dns-discovery.ts";
export { createDnsDiscovery } from "./discovery/dns-discovery.ts";
export type { DnsDiscoveryOptions } from "./discovery/dns-discovery-options.ts";
export type { DiscoveringNode, PeerDiscovery } from "./discovery/peer-discovery.ts";
export type { ParsecErrorCode } from "./errors.ts";
export { isParsecError, ParsecError } from "./errors.ts";
export type { CacheStats, GroupStats } from "./group-stats.ts";
export type { InvalidationResult } from "./invalidation/invalidation.ts";
export type { CacheHandle, CallOptions } from "./registry/cache-handle.ts";
export type { Codec } from "./registry/codec.ts";
export { bytesCodec, jsonCodec, textCodec } from "./registry/codec.ts";
export type { DataSource } from "./registry/data-source.ts";
export type { Group, GroupCache, GroupLoader, GroupOptions } from "./registry/group-cache.ts";
export { createGroupCache } from "./registry/group-cache.ts";
export type { NodeOptions } from "./registry/node.ts";
export type {
  ClusterStats,
  DataSourceHandle,
  DataSourceOptions,
  DataSourceRegistry,
} from "./registry/registry.ts";
export { createDataSourceClusterRegistry, createDataSourceRegistry } from "./registry/registry.ts";
export type { SourceCoding } from "./registry/source-origin.ts";
export type { TelemetryEvents } from "./telemetry.ts";

// The contract between a node and its peers, which a transport implements.

export type {
  Peer,
  PeerAnswer,
  PeerCallOptions,
  PeerContact,
  PeerContactAnswer,
  PeerEntry,
  PeerFailure,
  PeerHandOver,
  PeerHost,
  PeerInvalidation,
  PeerInvalidationTarget,
  PeerLookup,
  PeerPicker,
  PeerTrace,
  PickerWarning,
} from "./peer.ts";
