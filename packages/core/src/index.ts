// What users of a cache need.

export type { CachePolicy, HotPolicy } from "./cache-policy.ts";
export type { Clock } from "./clock.ts";
export { createSystemClock } from "./clock.ts";
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
export { keyFromBytes, keyToBytes } from "./key-bytes.ts";
export { createPlacement } from "./placement/create-placement.ts";
export type { Placement, PlacementName } from "./placement/placement.ts";
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

// The contract between a node and its peers, for authors of transports.

export type {
  Peer,
  PeerAnswer,
  PeerCallOptions,
  PeerEntry,
  PeerFailure,
  PeerHandOver,
  PeerHost,
  PeerInvalidation,
  PeerInvalidationTarget,
  PeerLookup,
  PeerPicker,
  PeerTrace,
} from "./peer.ts";

// Frames, batches and health: what transports share.

export { discoveryOption, FollowedPeers } from "./discovery/followed-peers.ts";
export type { NumberRange } from "./option-checks.ts";
export {
  choiceOption,
  describe,
  numberOption,
  rangeOption,
  secretsOption,
  wholeOption,
} from "./option-checks.ts";
export { Gate } from "./semaphore.ts";
export { ReplayGuard } from "./transport/auth/replay-guard.ts";
export type { PeerHealthChange, PeerHealthOptions } from "./transport/health/peer-health.ts";
export { PeerHealth } from "./transport/health/peer-health.ts";
export type { PeerPing } from "./transport/health/peer-ping.ts";
export { resolvePeerHealth } from "./transport/health/resolve-peer-health.ts";
export type { SilenceOptions } from "./transport/health/silence-watch.ts";
export { SilenceWatch } from "./transport/health/silence-watch.ts";
export type { FrameChannel, FrameExchange } from "./transport/link/frame-in-flight.ts";
export { FrameInFlight } from "./transport/link/frame-in-flight.ts";
export type {
  OutgoingInvalidations,
  SendInvalidations,
} from "./transport/link/invalidation-batcher.ts";
export { errorFromOwner } from "./transport/link/owner-error.ts";
export type { PeerLinkOptions } from "./transport/link/peer-link.ts";
export { PeerLink } from "./transport/link/peer-link.ts";
export type { FrameServerOptions } from "./transport/server/frame-server.ts";
export { FrameServer } from "./transport/server/frame-server.ts";
export type { AnswerSink } from "./transport/server/served-frame.ts";
export { ServedFrame } from "./transport/server/served-frame.ts";
export { readTakenOver } from "./transport/wire/applied-outcome.ts";
export { encodeEntries } from "./transport/wire/entries.ts";
export { encodeCancellation, encodeInvalidations } from "./transport/wire/invalidations.ts";
export { isErrorCode, requestKind } from "./transport/wire/layout.ts";
export type { FrameLimits } from "./transport/wire/limits.ts";
export { resolveFrameLimits } from "./transport/wire/limits.ts";
export { readPeerTrace } from "./transport/wire/trace-context.ts";
