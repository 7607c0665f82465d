import { randomBytes } from "node:crypto";
import {
  type Clock,
  choiceOption,
  createSystemClock,
  describe,
  discoveryOption,
  type FrameLimits,
  ParsecError,
  type PeerDiscovery,
  type PeerHealthOptions,
  type PlacementName,
  rangeOption,
  resolveFrameLimits,
  resolvePeerHealth,
  secretsOption,
  wholeOption,
} from "@parsec/core";
import { addressOf, checkMembership, type Membership } from "./grpc-urls.ts";

/** Something an operator should know. Never holds a secret, a key or an input. */
export interface GrpcPeersWarning {
  readonly kind: "peer-left-out" | "peer-taken-back" | "unprotected" | "discovery" | "refused";
  /** The peer's id; of a refused call, the address it came from. */
  readonly peerId: string;
  readonly message: string;
}

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

export interface GrpcLimits extends FrameLimits {
  /** Lookups that one frame carries. Defaults to 128, at most `maxLookups`, which should be the same on all nodes. */
  readonly maxLookupsSent: number;
  /** Lookups that may wait to be sent to one peer. Defaults to 16,384. */
  readonly maxQueued: number;
  /** Frames and calls from peers under way at once. Defaults to 4,096. */
  readonly maxRequests: number;
  /** Streams from peers and watchers of health at once. Defaults to 1,024. */
  readonly maxStreams: number;
  /** How long a groupcachepb Get may wait for the origin when it names no deadline. Defaults to 30,000. */
  readonly getTimeoutMs: number;
  /** How far apart the clocks of two nodes may be when calls are signed. Defaults to 30,000. */
  readonly maxClockSkewMs: number;
}

export interface GrpcHealthOptions extends PeerHealthOptions {
  /** A peer that owes answers and says nothing for this long is pinged. Defaults to 1,000. */
  readonly silenceMs: number;
}

export interface GrpcPeersOptions {
  /** This node, as its peers reach it: one of `peerUrls`, or as `discovery` finds it, in the same spelling. */
  readonly selfUrl: string;
  /** Every node, this one included, such as `"grpc://node-1:50051"` or `"node-1:50051"`. The same list on every node. With `discovery` only what to begin with, this node alone by default. */
  readonly peerUrls?: readonly string[];
  /** Finds the nodes while they run, such as `createDnsDiscovery({ name: "parsec-peers" })`. `updatePeers` ends it. */
  readonly discovery?: PeerDiscovery | undefined;
  /** `"groupcache"` for the ring of Go's groupcache. Defaults to `"slots"`. The same on every node. */
  readonly placement?: PlacementName;
  /** Signs calls, and refuses unsigned ones. At least 16 characters; of several the first signs and all are believed. */
  readonly secret?: string | readonly string[] | undefined;
  /** Encrypts connections, to peers and from them. */
  readonly tls?: GrpcTlsOptions;
  /** Serves whoever reaches the port, unless a secret or certificates say otherwise. */
  readonly insecure?: true;
  /** Answers health checks of anybody, such as the probes of Kubernetes, which cannot sign. They learn no more than whether this node serves. */
  readonly openHealth?: true;
  readonly connections?: GrpcConnectionOptions;
  readonly limits?: Partial<GrpcLimits>;
  /** When a peer is left out and taken back, and when its silence is taken for death. */
  readonly health?: Partial<GrpcHealthOptions>;
  /** How long `close` waits for calls under way. Defaults to 5,000. */
  readonly closeTimeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly onWarning?: (warning: GrpcPeersWarning) => void;
}

/** Every option with its value. */
export interface ResolvedGrpcOptions {
  readonly membership: Membership;
  readonly discovery: PeerDiscovery | undefined;
  readonly placement: PlacementName;
  readonly secrets: readonly string[];
  readonly tls: GrpcTlsOptions | undefined;
  readonly requireClientCertificate: boolean;
  readonly insecure: boolean;
  readonly openHealth: boolean;
  readonly connections: Required<GrpcConnectionOptions>;
  readonly limits: GrpcLimits;
  readonly health: GrpcHealthOptions;
  readonly closeTimeoutMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onWarning: (warning: GrpcPeersWarning) => void;
  /** Names this node in frames since its start. */
  readonly sender: number;
}

const hourMs = 3_600_000;

/** Checks and completes the options. Throws `INVALID_ARGUMENT` naming the field and what it may be. */
export function resolveGrpcOptions(options: GrpcPeersOptions): ResolvedGrpcOptions {
  if (typeof options !== "object" || options === null) {
    throw invalid(`the options must be an object, not ${describe(options)}`);
  }
  const discovery = discoveryOption(options.discovery);
  const listed = options.peerUrls ?? (discovery && [options.selfUrl]);
  const membership = checkMembership(options.selfUrl, listed);
  const tls = checkTls(options.tls);
  checkEncryption(membership.ids, tls);
  return {
    membership,
    discovery,
    placement: choiceOption("placement", {
      given: options.placement,
      choices: ["slots", "groupcache"],
    }),
    secrets: secretsOption(options.secret),
    tls,
    requireClientCertificate: tls?.requireClientCertificate ?? tls?.cert !== undefined,
    insecure: trueOrAbsent("insecure", options.insecure),
    openHealth: trueOrAbsent("openHealth", options.openHealth),
    connections: resolveConnections(options.connections ?? {}),
    limits: resolveLimits(options.limits ?? {}),
    health: resolvePeerHealth(options.health ?? {}),
    closeTimeoutMs: rangeOption("closeTimeoutMs", options.closeTimeoutMs, [5000, 0, hourMs]),
    clock: options.clock ?? createSystemClock(),
    random: options.random ?? Math.random,
    onWarning: options.onWarning ?? (() => {}),
    // Not from `random`: two nodes with the same seed must still tell each other apart.
    sender: randomBytes(6).readUIntBE(0, 6) + 1,
  };
}

/** Certificates are of no use on a connection without encryption, which would go unnoticed. */
export function checkEncryption(ids: readonly string[], tls: GrpcTlsOptions | undefined): void {
  if (tls === undefined) return;
  const plain = ids.find((id) => addressOf(id).secure === false);
  if (plain !== undefined) {
    throw invalid(`tls is given, but ${describe(plain)} says that it is not encrypted; use grpcs:`);
  }
}

function resolveConnections(given: GrpcConnectionOptions): Required<GrpcConnectionOptions> {
  return {
    maxUnanswered: wholeOption("connections.maxUnanswered", given.maxUnanswered, [4, 1, 10_000]),
    maxOpenFrames: wholeOption("connections.maxOpenFrames", given.maxOpenFrames, [256, 4, 100_000]),
    keepAliveMs: wholeOption("connections.keepAliveMs", given.keepAliveMs, [
      20_000,
      1000,
      24 * hourMs,
    ]),
    keepAliveTimeoutMs: wholeOption("connections.keepAliveTimeoutMs", given.keepAliveTimeoutMs, [
      5000,
      1,
      hourMs,
    ]),
  };
}

function resolveLimits(given: Partial<GrpcLimits>): GrpcLimits {
  const frames = resolveFrameLimits(given);
  const fallback = Math.min(128, frames.maxLookups);
  return {
    ...frames,
    maxLookupsSent: wholeOption("limits.maxLookupsSent", given.maxLookupsSent, [
      fallback,
      1,
      frames.maxLookups,
    ]),
    maxQueued: wholeOption("limits.maxQueued", given.maxQueued, [16_384, 1, 10_000_000]),
    maxRequests: wholeOption("limits.maxRequests", given.maxRequests, [4096, 1, 1_000_000]),
    maxStreams: wholeOption("limits.maxStreams", given.maxStreams, [1024, 1, 1_000_000]),
    getTimeoutMs: rangeOption("limits.getTimeoutMs", given.getTimeoutMs, [30_000, 1, hourMs]),
    maxClockSkewMs: rangeOption("limits.maxClockSkewMs", given.maxClockSkewMs, [30_000, 1, hourMs]),
  };
}

function checkTls(tls: GrpcTlsOptions | undefined): GrpcTlsOptions | undefined {
  if (tls === undefined) return undefined;
  if (typeof tls !== "object" || tls === null) {
    throw invalid(`tls must be an object with ca, cert and key, not ${describe(tls)}`);
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw invalid("tls.cert and tls.key are needed together");
  }
  return tls;
}

function trueOrAbsent(name: string, given: true | undefined): boolean {
  if (given !== undefined && given !== true) {
    throw invalid(`${name} may only be left out or true, not ${describe(given)}`);
  }
  return given === true;
}

function invalid(message: string): ParsecError {
  return new ParsecError("INVALID_ARGUMENT", message);
}
