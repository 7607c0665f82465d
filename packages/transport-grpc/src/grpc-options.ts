import { type NumberRange, rangeOption, wholeOption } from "@parsec/core/authoring";
import {
  flagOption,
  type PeerLimits,
  type PeerOptions,
  type PeerWarning,
  type ResolvedPeerOptions,
  type ResolvedUrlPeers,
  resolvePeerLimits,
  resolvePeerOptions,
  resolveUrlPeers,
  type UrlPeerOptions,
} from "@parsec/core/transport";
import { grpcUrls } from "./grpc-urls.ts";

/** An event an operator should know of. Of a refused call, `peerId` is the address it came from. Never holds a secret, a key or an input. */
export type GrpcPeersWarning = PeerWarning<"refused">;

/** Connections to one peer. Times in milliseconds. */
export interface GrpcConnectionOptions {
  /** Frames to one peer that it has not begun to answer; while there are as many, lookups gather in larger ones. Defaults to 4. */
  readonly maxUnanswered?: number;
  /** Frames to one peer that may wait for slow origins before their lookups are asked again in one. Defaults to 256. */
  readonly maxOpenFrames?: number;
  /** How often an unused connection is checked by a ping of HTTP/2. Defaults to 20,000. */
  readonly keepAliveMs?: number;
  /** How long the answer to such a ping may take. Defaults to 5,000. */
  readonly keepAliveTimeoutMs?: number;
}

/** Limits of one node. Sizes in bytes, times in milliseconds. */
export interface GrpcLimits extends PeerLimits {
  /** Streams from peers and watchers of health at once. Defaults to 1,024. */
  readonly maxStreams: number;
  /** How long a groupcachepb Get may wait for the origin when it names no deadline. Defaults to 30,000. */
  readonly getTimeoutMs: number;
}

/** Options of `createGrpcPeers`. */
export interface GrpcPeersOptions
  extends PeerOptions<GrpcPeersWarning, GrpcLimits>,
    UrlPeerOptions {
  /** Answers health checks of anybody, such as the probes of Kubernetes, which cannot sign. They learn no more than whether this node serves. */
  readonly openHealth?: true;
  readonly connections?: GrpcConnectionOptions;
}

/** {@link GrpcPeersOptions}, each with its value. */
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
  return {
    ...resolvePeerOptions(options),
    ...resolveUrlPeers(options, grpcUrls),
    openHealth: flagOption("openHealth", options.openHealth),
    connections: resolveConnections(options.connections ?? {}),
    limits: resolveLimits(options.limits ?? {}),
  };
}

function resolveConnections(given: GrpcConnectionOptions): Required<GrpcConnectionOptions> {
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
  return {
    ...resolvePeerLimits(given),
    maxStreams: wholeOption("limits.maxStreams", given.maxStreams, [1024, 1, 1_000_000]),
    getTimeoutMs: rangeOption("limits.getTimeoutMs", given.getTimeoutMs, [30_000, 1, hourMs]),
  };
}
