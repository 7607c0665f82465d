import { knownOptions, type NumberRange, rangeOption, wholeOption } from "@parsec/core/authoring";
import {
  flagOption,
  type PeerLimits,
  type PeerOptions,
  type PeerWarning,
  peerLimitNames,
  peerOptionNames,
  type ResolvedPeerOptions,
  type ResolvedUrlPeers,
  resolvePeerLimits,
  resolvePeerOptions,
  resolveUrlPeers,
  type UrlPeerOptions,
  urlOptionNames,
} from "@parsec/core/transport";
import { grpcUrls } from "./grpc-urls.ts";

/** A warning for the operator of a node, passed to `onWarning`. For `refused`, `peerId` is the address of the caller. Never contains a secret, a key or an input. */
export type GrpcPeersWarning = PeerWarning<"refused">;

/** Settings of the connections to one peer. Times in milliseconds. */
export interface GrpcConnectionOptions {
  /** Maximum number of frames that a peer has not begun to answer. While it is reached, lookups are batched into larger frames. Defaults to 4. */
  readonly maxUnanswered?: number;
  /** Maximum number of frames that wait for slow origins; beyond it, their lookups are sent again in one frame. Defaults to 256. */
  readonly maxOpenFrames?: number;
  /** Interval of HTTP/2 pings on an idle connection. Defaults to 20,000. */
  readonly keepAliveMs?: number;
  /** Timeout of an HTTP/2 ping. Defaults to 5,000. */
  readonly keepAliveTimeoutMs?: number;
}

/** Limits of one node over gRPC. Sizes in bytes, times in milliseconds. */
export interface GrpcLimits extends PeerLimits {
  /** Maximum number of open streams from peers; the same number of health watchers. Defaults to 1,024. */
  readonly maxStreams: number;
  /** Timeout of a groupcachepb Get without a deadline, and the maximum for one with a deadline. Defaults to 30,000. */
  readonly getTimeoutMs: number;
}

/** Options of `createGrpcPeers`. */
export interface GrpcPeersOptions
  extends PeerOptions<GrpcPeersWarning, GrpcLimits>,
    UrlPeerOptions {
  /** Answers health checks without authentication, such as Kubernetes probes, which cannot sign. They reveal only whether this node serves. */
  readonly openHealth?: true;
  /** The connections to each peer. */
  readonly connections?: GrpcConnectionOptions;
}

/** {@link GrpcPeersOptions} after checks, with all defaults filled in. */
export interface ResolvedGrpcOptions
  extends ResolvedPeerOptions<GrpcPeersWarning>,
    ResolvedUrlPeers {
  readonly openHealth: boolean;
  readonly connections: Required<GrpcConnectionOptions>;
  readonly limits: GrpcLimits;
}

const hourMs = 3_600_000;

/** Checks and completes the options. Throws `INVALID_ARGUMENT` naming the field and its range. */
export function resolveGrpcOptions(options: GrpcPeersOptions): ResolvedGrpcOptions {
  knownOptions<GrpcPeersOptions>("createGrpcPeers", options, {
    ...peerOptionNames,
    ...urlOptionNames,
    openHealth: 1,
    connections: 1,
  });
  const common = resolvePeerOptions(options);
  return {
    ...common,
    ...resolveUrlPeers(options, { common, spelling: grpcUrls }),
    openHealth: flagOption("openHealth", options.openHealth),
    connections: resolveConnections(options.connections ?? {}),
    limits: resolveLimits(options.limits ?? {}),
  };
}

function resolveConnections(given: GrpcConnectionOptions): Required<GrpcConnectionOptions> {
  knownOptions("connections", given, {
    maxUnanswered: 1,
    maxOpenFrames: 1,
    keepAliveMs: 1,
    keepAliveTimeoutMs: 1,
  });
  const whole = (name: keyof GrpcConnectionOptions, range: NumberRange): number =>
    wholeOption(`connections.${name}`, given[name], range);
  return {
    maxUnanswered: whole("maxUnanswered", [4, 1, 10_000]),
    maxOpenFrames: whole("maxOpenFrames", [256, 4, 100_000]),
    keepAliveMs: whole("keepAliveMs", [20_000, 1000, 24 * hourMs]),
    keepAliveTimeoutMs: whole("keepAliveTimeoutMs", [5000, 1, hourMs]),
  };
}

function resolveLimits(given: Partial<GrpcLimits>): GrpcLimits {
  knownOptions<Partial<GrpcLimits>>("limits", given, {
    ...peerLimitNames,
    maxStreams: 1,
    getTimeoutMs: 1,
  });
  return {
    ...resolvePeerLimits(given),
    maxStreams: wholeOption("limits.maxStreams", given.maxStreams, [1024, 1, 1_000_000]),
    getTimeoutMs: rangeOption("limits.getTimeoutMs", given.getTimeoutMs, [30_000, 1, hourMs]),
  };
}
