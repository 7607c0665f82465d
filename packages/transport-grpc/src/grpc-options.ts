import type { PeerDiscovery } from "@parsec/core";
import {
  describe,
  invalidArgument,
  type NumberRange,
  rangeOption,
  wholeOption,
} from "@parsec/core/authoring";
import {
  discoveryOption,
  flagOption,
  type Membership,
  type PeerLimits,
  type PeerOptions,
  type PeerWarning,
  type ResolvedPeerOptions,
  resolvePeerLimits,
  resolvePeerOptions,
} from "@parsec/core/transport";
import { addressOf, checkMembership } from "./grpc-urls.ts";

/** An event an operator should know of. Of a refused call, `peerId` is the address it came from. Never holds a secret, a key or an input. */
export type GrpcPeersWarning = PeerWarning<"refused">;

/** Certificates, as PEM. */
export interface GrpcTlsOptions {
  /** Whom to trust, of peers that are asked and of those that ask. Defaults to the authorities that Node trusts. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[];
  /** What this node shows, to peers it asks and to those that ask it. With it, peers must show theirs as well. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly passphrase?: string;
  /** Whether a peer must show a certificate. Defaults to true when `cert` is given. */
  readonly requireClientCertificate?: boolean;
  /** The name to look for in a peer's certificate. Defaults to the host of its address. */
  readonly serverName?: string;
}

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
export interface GrpcPeersOptions extends PeerOptions<GrpcPeersWarning, GrpcLimits> {
  /** This node, as its peers reach it: one of `peerUrls`, or as `discovery` finds it, in the same spelling. */
  readonly selfUrl: string;
  /** Every node, this one included, such as `"grpc://node-1:50051"` or `"node-1:50051"`. The same list on every node. With `discovery` only what to begin with, this node alone by default. */
  readonly peerUrls?: readonly string[];
  /** Finds the nodes while they run, such as `createDnsDiscovery({ name: "parsec-peers" })`. `updatePeers` ends it. */
  readonly discovery?: PeerDiscovery | undefined;
  /** Encrypts connections, to peers and from them. */
  readonly tls?: GrpcTlsOptions;
  /** Answers health checks of anybody, such as the probes of Kubernetes, which cannot sign. They learn no more than whether this node serves. */
  readonly openHealth?: true;
  readonly connections?: GrpcConnectionOptions;
}

/** {@link GrpcPeersOptions}, each with its value. */
export interface ResolvedGrpcOptions extends ResolvedPeerOptions<GrpcPeersWarning> {
  readonly membership: Membership;
  readonly discovery: PeerDiscovery | undefined;
  readonly tls: GrpcTlsOptions | undefined;
  readonly requireClientCertificate: boolean;
  readonly openHealth: boolean;
  readonly connections: Required<GrpcConnectionOptions>;
  readonly limits: GrpcLimits;
}

const hourMs = 3_600_000;

/** Checks and completes the options. Throws `INVALID_ARGUMENT` naming the field and its range. */
export function resolveGrpcOptions(options: GrpcPeersOptions): ResolvedGrpcOptions {
  const common = resolvePeerOptions(options);
  const { selfUrl, peerUrls } = options;
  const discovery = discoveryOption(options.discovery);
  const tls = checkTls(options.tls);
  const membership = checkMembership({ selfUrl, peerUrls: peerUrls ?? (discovery && [selfUrl]) });
  checkEncryption(membership.ids, tls);
  return {
    ...common,
    membership,
    discovery,
    tls,
    requireClientCertificate: tls?.requireClientCertificate ?? tls?.cert !== undefined,
    openHealth: flagOption("openHealth", options.openHealth),
    connections: resolveConnections(options.connections ?? {}),
    limits: resolveLimits(options.limits ?? {}),
  };
}

/** Certificates have no effect on a connection without encryption, which would go unnoticed. */
export function checkEncryption(ids: readonly string[], tls: GrpcTlsOptions | undefined): void {
  if (tls === undefined) return;
  const plain = ids.find((id) => addressOf(id).secure === false);
  if (plain !== undefined) {
    throw invalidArgument(
      `tls is given, but ${describe(plain)} says that it is not encrypted; use grpcs:`,
    );
  }
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

function checkTls(tls: GrpcTlsOptions | undefined): GrpcTlsOptions | undefined {
  if (tls === undefined) return undefined;
  if (typeof tls !== "object" || tls === null) {
    throw invalidArgument(`tls must be an object with ca, cert and key, got ${describe(tls)}`);
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw invalidArgument("tls.cert and tls.key are needed together");
  }
  return tls;
}
