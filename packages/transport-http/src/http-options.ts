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
import { checkBasePath, checkMembership, type Membership } from "./http-urls.ts";
import type { Dialect } from "./http-wire.ts";

/** Something an operator should know. Never holds a secret, a key or an input. */
export interface HttpPeersWarning {
  readonly kind: "peer-left-out" | "peer-taken-back" | "unprotected" | "discovery";
  readonly peerId: string;
  readonly message: string;
}

/** Certificates, as PEM. */
export interface HttpTlsOptions {
  /** Whom to trust; defaults to the authorities that Node trusts. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[];
  /** What this node shows its peers. With it, peers must show theirs as well. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly passphrase?: string;
  /** Whether a peer must show a certificate. Defaults to true when `cert` is given. */
  readonly requireClientCertificate?: boolean;
  /** The name to look for in a peer's certificate. Defaults to the host of its URL. */
  readonly serverName?: string;
}

export interface HttpConnectionOptions {
  /** Connections for lookups to one peer at most. Defaults to 64, at least 3: some wait for slow origins. */
  readonly maxPerPeer?: number;
  /** Requests to one peer that it has not begun to answer; while there are as many, lookups gather in larger ones. Defaults to 4. */
  readonly maxUnanswered?: number;
  /** How long a connection may take to be made. Defaults to 2,000. */
  readonly connectTimeoutMs?: number;
  /** How long an unused connection is kept. Defaults to 4,000: less than the 5,000 of Node's server. */
  readonly keepAliveMs?: number;
}

export interface HttpLimits extends FrameLimits {
  /** Lookups that one request carries. Defaults to 128, at most `maxLookups`, which should be the same on all nodes. */
  readonly maxLookupsSent: number;
  /** Lookups that may wait to be sent to one peer. Defaults to 16,384. */
  readonly maxQueued: number;
  /** Requests from peers under way at once. Defaults to 4,096. */
  readonly maxRequests: number;
  /** How long the body of a request may take to arrive. Defaults to 5,000. */
  readonly bodyTimeoutMs: number;
  /** How long a GET, which names no deadline, may wait for the origin. Defaults to 30,000. */
  readonly getTimeoutMs: number;
  /** How far apart the clocks of two nodes may be when requests are signed. Defaults to 30,000. */
  readonly maxClockSkewMs: number;
}

export interface HttpPeersOptions {
  /** This node, as its peers reach it: one of `peerUrls`, or as `discovery` finds it, in the same spelling. */
  readonly selfUrl: string;
  /** Every node, this one included. The same list on every node. With `discovery` only what to begin with, this node alone by default. */
  readonly peerUrls?: readonly string[];
  /** Finds the nodes while they run, such as `createDnsDiscovery({ name: "parsec-peers" })`. `updatePeers` ends it. */
  readonly discovery?: PeerDiscovery | undefined;
  /** Where the handler is mounted, on every node. Defaults to `"/_groupcache/"`. */
  readonly basePath?: string;
  /** `"groupcache"` for rings shared with Go nodes. Defaults to `"slots"`. The same on every node. */
  readonly placement?: PlacementName;
  /** Signs requests, and refuses unsigned ones. At least 16 characters; of several the first signs and all are believed. */
  readonly secret?: string | readonly string[];
  /** For peers at https: URLs. */
  readonly tls?: HttpTlsOptions;
  /** Serves whoever reaches the handler, unless a secret or certificates say otherwise. */
  readonly insecure?: true;
  /** How a `+` in a GET's path is read: `"golang"` when Go's groupcache is among the askers. Defaults to `"native"`. */
  readonly dialect?: Dialect;
  /** What this node sends: frames, or GETs that Go's groupcache understands. Defaults to `"native"`. */
  readonly peerWire?: "native" | "golang";
  readonly connections?: HttpConnectionOptions;
  readonly limits?: Partial<HttpLimits>;
  /** When a peer is left out and taken back, and when its silence is taken for death. */
  readonly health?: Partial<HttpHealthOptions>;
  /** How long `close` waits for requests under way. Defaults to 5,000. */
  readonly closeTimeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly onWarning?: (warning: HttpPeersWarning) => void;
}

export interface HttpHealthOptions extends PeerHealthOptions {
  /** A peer that owes answers and says nothing for this long is pinged. Defaults to 1,000. */
  readonly silenceMs: number;
}

/** Every option with its value. */
export interface ResolvedHttpOptions {
  readonly membership: Membership;
  readonly discovery: PeerDiscovery | undefined;
  readonly basePath: string;
  readonly placement: PlacementName;
  readonly secrets: readonly string[];
  readonly tls: HttpTlsOptions | undefined;
  readonly requireClientCertificate: boolean;
  readonly insecure: boolean;
  readonly dialect: Dialect;
  readonly peerWire: "native" | "golang";
  readonly connections: Required<HttpConnectionOptions>;
  readonly limits: HttpLimits;
  readonly health: HttpHealthOptions;
  readonly closeTimeoutMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onWarning: (warning: HttpPeersWarning) => void;
  /** Names this node in frames since its start. */
  readonly sender: number;
}

const hourMs = 3_600_000;

/** Checks and completes the options. Throws `INVALID_ARGUMENT` naming the field and what it may be. */
export function resolveHttpOptions(options: HttpPeersOptions): ResolvedHttpOptions {
  if (typeof options !== "object" || options === null) {
    throw invalid(`the options must be an object, not ${describe(options)}`);
  }
  const discovery = discoveryOption(options.discovery);
  const listed = options.peerUrls ?? (discovery && [options.selfUrl]);
  const membership = checkMembership(options.selfUrl, listed);
  if (options.insecure !== undefined && options.insecure !== true) {
    throw invalid(`insecure may only be left out or true, not ${describe(options.insecure)}`);
  }
  const tls = checkTls(options.tls);
  return {
    membership,
    discovery,
    basePath: checkBasePath(options.basePath),
    placement: choiceOption("placement", {
      given: options.placement,
      choices: ["slots", "groupcache"],
    }),
    secrets: secretsOption(options.secret),
    tls,
    requireClientCertificate: tls?.requireClientCertificate ?? tls?.cert !== undefined,
    insecure: options.insecure === true,
    dialect: choiceOption("dialect", {
      given: options.dialect,
      choices: ["native", "golang", "mailgun"],
    }),
    peerWire: choiceOption("peerWire", {
      given: options.peerWire,
      choices: ["native", "golang"],
    }),
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

function resolveConnections(given: HttpConnectionOptions): Required<HttpConnectionOptions> {
  const maxPerPeer = wholeOption("connections.maxPerPeer", given.maxPerPeer, [64, 3, 10_000]);
  const fallback = Math.min(4, maxPerPeer);
  return {
    maxPerPeer,
    maxUnanswered: wholeOption("connections.maxUnanswered", given.maxUnanswered, [
      fallback,
      1,
      maxPerPeer,
    ]),
    connectTimeoutMs: wholeOption("connections.connectTimeoutMs", given.connectTimeoutMs, [
      2000,
      1,
      hourMs,
    ]),
    keepAliveMs: wholeOption("connections.keepAliveMs", given.keepAliveMs, [4000, 1, hourMs]),
  };
}

function resolveLimits(given: Partial<HttpLimits>): HttpLimits {
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
    bodyTimeoutMs: rangeOption("limits.bodyTimeoutMs", given.bodyTimeoutMs, [5000, 1, hourMs]),
    getTimeoutMs: rangeOption("limits.getTimeoutMs", given.getTimeoutMs, [30_000, 1, hourMs]),
    maxClockSkewMs: rangeOption("limits.maxClockSkewMs", given.maxClockSkewMs, [30_000, 1, hourMs]),
  };
}

function checkTls(tls: HttpTlsOptions | undefined): HttpTlsOptions | undefined {
  if (tls === undefined) return undefined;
  if (typeof tls !== "object" || tls === null) {
    throw invalid(`tls must be an object with ca, cert and key, not ${describe(tls)}`);
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw invalid("tls.cert and tls.key are needed together");
  }
  const { serverName } = tls;
  if (serverName !== undefined && (typeof serverName !== "string" || serverName === "")) {
    throw invalid(`tls.serverName must be a name, not ${describe(serverName)}`);
  }
  return tls;
}

function invalid(message: string): ParsecError {
  return new ParsecError("INVALID_ARGUMENT", message);
}
