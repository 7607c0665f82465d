// What users of a cache need.

export type { Clock } from "./clock.ts";
export { createSystemClock } from "./clock.ts";
export type { ClusterConfig } from "./cluster-config.ts";
export { clusterConfigFromEnv } from "./cluster-config.ts";
export type { Codec } from "./codec.ts";
export { bytesCodec, jsonCodec, textCodec } from "./codec.ts";
export { createPlacement } from "./create-placement.ts";
export type { DataSource } from "./data-source.ts";
export type { DnsDiscovery, DnsDiscoveryStats } from "./dns-discovery.ts";
export { createDnsDiscovery } from "./dns-discovery.ts";
export type { DnsDiscoveryOptions } from "./dns-discovery-options.ts";
export type { ParsecErrorCode } from "./errors.ts";
export { isParsecError, ParsecError } from "./errors.ts";
export type { Group, GroupCache, GroupLoader, GroupOptions } from "./group-cache.ts";
export { createGroupCache } from "./group-cache.ts";
export type { NodeOptions } from "./group-directory.ts";
export type { CachePolicy, HotPolicy } from "./group-options.ts";
export type { CacheStats, GroupStats } from "./group-stats.ts";
export type { InvalidationResult } from "./invalidation.ts";
export { keyFromBytes, keyToBytes } from "./key-bytes.ts";
export type { DiscoveringNode, PeerDiscovery } from "./peer-discovery.ts";
export type { Placement, PlacementName } from "./placement.ts";
export type {
  ClusterStats,
  DataSourceHandle,
  DataSourceOptions,
  DataSourceRegistry,
} from "./registry.ts";
export { createDataSourceClusterRegistry, createDataSourceRegistry } from "./registry.ts";
export type { SourceCoding } from "./source-origin.ts";

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

export { readTakenOver } from "./applied-outcome.ts";
export { discoveryOption, FollowedPeers } from "./followed-peers.ts";
export type { FrameChannel, FrameExchange } from "./frame-in-flight.ts";
export { FrameInFlight } from "./frame-in-flight.ts";
export type { FrameServerOptions } from "./frame-server.ts";
export { FrameServer } from "./frame-server.ts";
export { Gate } from "./gate.ts";
export type { OutgoingInvalidations, SendInvalidations } from "./invalidation-batcher.ts";
export type { NumberRange } from "./option-checks.ts";
export {
  choiceOption,
  describe,
  numberOption,
  rangeOption,
  secretsOption,
  wholeOption,
} from "./option-checks.ts";
export { errorFromOwner } from "./owner-error.ts";
export { encodeEntries } from "./peer-frame-entries.ts";
export { encodeCancellation, encodeInvalidations } from "./peer-frame-invalidations.ts";
export { isErrorCode, requestKind } from "./peer-frame-layout.ts";
export type { FrameLimits } from "./peer-frame-limits.ts";
export { resolveFrameLimits } from "./peer-frame-limits.ts";
export type { PeerHealthChange, PeerHealthOptions } from "./peer-health.ts";
export { PeerHealth } from "./peer-health.ts";
export type { PeerLinkOptions } from "./peer-link.ts";
export { PeerLink } from "./peer-link.ts";
export type { PeerPing } from "./peer-ping.ts";
export { readPeerTrace } from "./peer-trace.ts";
export { ReplayGuard } from "./replay-guard.ts";
export { resolvePeerHealth } from "./resolve-peer-health.ts";
export type { AnswerSink } from "./served-frame.ts";
export { ServedFrame } from "./served-frame.ts";
export type { SilenceOptions } from "./silence-watch.ts";
export { SilenceWatch } from "./silence-watch.ts";
