import type { PeerDiscovery } from "@parsec/core";
import {
  choiceOption,
  describe,
  invalidArgument,
  type NumberRange,
  rangeOption,
  wholeOption,
} from "@parsec/core/authoring";
import {
  discoveryOption,
  type Membership,
  type PeerLimits,
  type PeerOptions,
  type PeerWarning,
  type ResolvedPeerOptions,
  resolvePeerLimits,
  resolvePeerOptions,
} from "@parsec/core/transport";
import { checkBasePath, checkMembership, checkSchemes } from "./http-urls.ts";
import type { Dialect } from "./http-wire.ts";

/** An event an operator should know of. Never holds a secret, a key or an input. */
export type HttpPeersWarning = PeerWarning;

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

/** Connections to one peer. Times in milliseconds. */
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

/** Limits of one node. Sizes in bytes, times in milliseconds. */
export interface HttpLimits extends PeerLimits {
  /** How long the body of a request may take to arrive. Defaults to 5,000. */
  readonly bodyTimeoutMs: number;
  /** How long a GET, which names no deadline, may wait for the origin. Defaults to 30,000. */
  readonly getTimeoutMs: number;
}

/** Options of `createHttpPeers`. */
export interface HttpPeersOptions extends PeerOptions<HttpPeersWarning, HttpLimits> {
  /** This node, as its peers reach it: one of `peerUrls`, or as `discovery` finds it, in the same spelling. */
  readonly selfUrl: string;
  /** Every node, this one included. The same list on every node. With `discovery` only what to begin with, this node alone by default. */
  readonly peerUrls?: readonly string[];
  /** Finds the nodes while they run, such as `createDnsDiscovery({ name: "parsec-peers" })`. `updatePeers` ends it. */
  readonly discovery?: PeerDiscovery | undefined;
  /** Where the handler is mounted, on every node. Defaults to `"/_groupcache/"`. */
  readonly basePath?: string;
  /** For peers at https: URLs. */
  readonly tls?: HttpTlsOptions;
  /** How a `+` in a GET's path is read: `"golang"` when Go's groupcache is among the askers. Defaults to `"native"`. */
  readonly dialect?: Dialect;
  /** What this node sends: frames, or GETs that Go's groupcache understands. Defaults to `"native"`. */
  readonly peerWire?: "native" | "golang";
  readonly connections?: HttpConnectionOptions;
}

/** {@link HttpPeersOptions}, each with its value. */
export interface ResolvedHttpOptions extends ResolvedPeerOptions<HttpPeersWarning> {
  readonly membership: Membership;
  readonly discovery: PeerDiscovery | undefined;
  readonly basePath: string;
  readonly tls: HttpTlsOptions | undefined;
  readonly requireClientCertificate: boolean;
  readonly dialect: Dialect;
  readonly peerWire: "native" | "golang";
  readonly connections: Required<HttpConnectionOptions>;
  readonly limits: HttpLimits;
}

const hourMs = 3_600_000;

/** Checks and completes the options. Throws `INVALID_ARGUMENT` naming the field and its range. */
export function resolveHttpOptions(options: HttpPeersOptions): ResolvedHttpOptions {
  const common = resolvePeerOptions(options);
  const { selfUrl, peerUrls } = options;
  const discovery = discoveryOption(options.discovery);
  const tls = checkTls(options.tls);
  const membership = checkMembership({
    selfUrl,
    peerUrls: peerUrls ?? (discovery && [selfUrl]),
  });
  checkSchemes(membership.ids, tls);
  return {
    ...common,
    membership,
    discovery,
    basePath: checkBasePath(options.basePath),
    tls,
    requireClientCertificate: tls?.requireClientCertificate ?? tls?.cert !== undefined,
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
  };
}

function resolveConnections(given: HttpConnectionOptions): Required<HttpConnectionOptions> {
  const whole = (name: keyof HttpConnectionOptions, range: NumberRange): number =>
    wholeOption(`connections.${name}`, given[name], range);
  const maxPerPeer = whole("maxPerPeer", [64, 3, 10_000]);
  return {
    maxPerPeer,
    maxUnanswered: whole("maxUnanswered", [Math.min(4, maxPerPeer), 1, maxPerPeer]),
    connectTimeoutMs: whole("connectTimeoutMs", [2000, 1, hourMs]),
    keepAliveMs: whole("keepAliveMs", [4000, 1, hourMs]),
  };
}

function resolveLimits(given: Partial<HttpLimits>): HttpLimits {
  return {
    ...resolvePeerLimits(given),
    bodyTimeoutMs: rangeOption("limits.bodyTimeoutMs", given.bodyTimeoutMs, [5000, 1, hourMs]),
    getTimeoutMs: rangeOption("limits.getTimeoutMs", given.getTimeoutMs, [30_000, 1, hourMs]),
  };
}

function checkTls(tls: HttpTlsOptions | undefined): HttpTlsOptions | undefined {
  if (tls === undefined) return undefined;
  if (typeof tls !== "object" || tls === null) {
    throw invalidArgument(`tls must be an object with ca, cert and key, got ${describe(tls)}`);
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw invalidArgument("tls.cert and tls.key are needed together");
  }
  const { serverName } = tls;
  if (serverName !== undefined && (typeof serverName !== "string" || serverName === "")) {
    throw invalidArgument(`tls.serverName must be a name, got ${describe(serverName)}`);
  }
  return tls;
}
