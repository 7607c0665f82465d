// For transports, in the order in which a transport uses it (docs/writing-a-transport.md). The contract to
// implement (`Peer`, `PeerPicker`, `PeerHost`) is part of `@parsec/core`.

// Options and members.

export { createSystemClock } from "../clock.ts";
export { discoveryOption } from "../discovery/followed-peers.ts";
export { createPlacement } from "../placement/create-placement.ts";
export type { Placement, PlacementName } from "../placement/placement.ts";
export type { HostPlaces } from "./host/host-folder.ts";
export { hostFolder } from "./host/host-folder.ts";
export { hostSecret } from "./host/host-secret.ts";
export { flagOption } from "./picker/flag-option.ts";
export type { Membership, NodeIds } from "./picker/membership.ts";
export { checkMembership } from "./picker/membership.ts";
export type {
  PeerLimits,
  PeerOptions,
  PeerWarning,
  ResolvedPeerOptions,
} from "./picker/peer-options.ts";
export {
  peerLimitNames,
  peerOptionNames,
  resolvePeerLimits,
  resolvePeerOptions,
} from "./picker/peer-options.ts";
export type { ManagedPeer, PeerSet, PeerSetOptions } from "./picker/peer-set.ts";
export { createPeerSet } from "./picker/peer-set.ts";
export type { PeerTlsOptions } from "./picker/tls-options.ts";
export type {
  ResolvedUrlPeers,
  UrlPeerCommon,
  UrlPeerOptions,
  UrlSpelling,
} from "./picker/url-options.ts";
export { isLoopbackHost, resolveUrlPeers, urlOptionNames } from "./picker/url-options.ts";

// Client side: a peer over frames.

export type { CollectedAnswer, FrameAnswer } from "./link/collected-answer.ts";
export { collectAnswer } from "./link/collected-answer.ts";
export type { FrameExchange, OutgoingFrame } from "./link/frame-in-flight.ts";
export { errorFromOwner } from "./link/owner-error.ts";
export type {
  ControlFrame,
  PeerChannel,
  PeerLink,
  PeerLinkOptions,
} from "./link/peer-link.ts";
export { createPeerLink } from "./link/peer-link.ts";

// Server side.

export type { FrameServer, FrameServerOptions, ReplyOf } from "./server/frame-server.ts";
export { createFrameServer } from "./server/frame-server.ts";
export type { FrameService, FrameServiceOptions } from "./server/frame-service.ts";
export { createFrameService } from "./server/frame-service.ts";
export type { AnswerSink, ServedFrame } from "./server/served-frame.ts";

// Health and authentication, for peers over other protocols than frames.

export type { Stamp } from "./auth/replay-guard.ts";
export type {
  RequestSigner,
  RequestVerifier,
  SignedRequest,
  VerifiedRequest,
} from "./auth/request-signatures.ts";
export {
  authScheme,
  createRequestSigner,
  createRequestVerifier,
  isSignedBody,
} from "./auth/request-signatures.ts";
export type { SignatureCheck } from "./auth/signatures.ts";
export { createSignatureCheck, createStamper } from "./auth/signatures.ts";
export type { LivenessCheck } from "./health/liveness-check.ts";
export { createLivenessCheck } from "./health/liveness-check.ts";
export type { PeerHealth, PeerHealthChange, PeerHealthOptions } from "./health/peer-health.ts";
export { createPeerHealth, resolvePeerHealth } from "./health/peer-health.ts";
export type { PeerPing } from "./health/peer-ping.ts";

// Wire formats.

export { keyFromBytes, keyToBytes } from "../key-bytes.ts";
export type { GetRequest, GetResponse } from "./wire/groupcachepb.ts";
export { decodeGetRequest, decodeGetResponse, encodeGetResponse } from "./wire/groupcachepb.ts";
export { encodeCancellation, encodeInvalidations } from "./wire/invalidations.ts";
export { isErrorCode, requestKind } from "./wire/layout.ts";
export type { FrameLimits } from "./wire/limits.ts";
export { resolveFrameLimits } from "./wire/limits.ts";
export type { NodeBuffer } from "./wire/node-buffer.ts";
export type { ProtobufField } from "./wire/protobuf.ts";
export { malformedMessage, readFields, wireTypes } from "./wire/protobuf.ts";
export { encodeRefusal, readRefusal } from "./wire/refusal.ts";
export { readPeerTrace } from "./wire/trace-context.ts";

// Several processes behind one address.

export type { ServedHost } from "./server/served-host.ts";
export type { WorkerPeer } from "./workers/worker-peer.ts";
export { joinWorkers } from "./workers/worker-picker.ts";
export type { Workers, WorkersOptions } from "./workers/workers.ts";
export { createWorkers } from "./workers/workers.ts";
