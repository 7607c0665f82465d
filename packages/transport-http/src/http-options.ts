import {
  choiceOption,
  knownOptions,
  type NumberRange,
  rangeOption,
  wholeOption,
} from "@parsec/core/authoring";
import {
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
import { checkBasePath, httpUrls } from "./http-urls.ts";
import type { Dialect } from "./http-wire.ts";

/** A warning for the operator of a node, passed to `onWarning`. Never contains a secret, a key or an input. */
export type HttpPeersWarning = PeerWarning;

/** Settings of the connection pool to one peer. Times in milliseconds. */
export interface HttpConnectionOptions {
  /** Maximum number of connections for lookups to one peer. Defaults to 64; at least 3, because some wait for slow origins. */
  readonly maxPerPeer?: number;
  /** Maximum number of requests that a peer has not begun to answer. While it is reached, lookups are batched into larger requests. Defaults to 4. */
  readonly maxUnanswered?: number;
  /** Timeout for opening a connection. Defaults to 2,000. */
  readonly connectTimeoutMs?: number;
  /** How long an idle connection is kept. Defaults to 4,000, which is less than the 5,000 of Node's server. */
  readonly keepAliveMs?: number;
}

/** Limits of one node over HTTP. Sizes in bytes, times in milliseconds. */
export interface HttpLimits extends PeerLimits {
  /** Timeout for receiving the body of a request. Defaults to 5,000. */
  readonly bodyTimeoutMs: number;
  /** Timeout of a GET, which carries no deadline of its own. Defaults to 30,000. */
  readonly getTimeoutMs: number;
}

/** Options of `createHttpPeers`. */
export interface HttpPeersOptions
  extends PeerOptions<HttpPeersWarning, HttpLimits>,
    UrlPeerOptions {
  /** The path under which the handler is mounted; the same on every node. Defaults to `"/_groupcache/"`. */
  readonly basePath?: string;
  /** How a `+` in a GET's path is decoded: `"golang"` when Go's groupcache sends requests to this node. Defaults to `"native"`. */
  readonly dialect?: Dialect;
  /** The protocol of this node's requests: `"native"` sends frames, `"golang"` sends GETs that Go's groupcache understands. Defaults to `"native"`. */
  readonly peerWire?: "native" | "golang";
  /** The connection pool to each peer. */
  readonly connections?: HttpConnectionOptions;
}

/** {@link HttpPeersOptions} after checks, with all defaults filled in. */
export interface ResolvedHttpOptions
  extends ResolvedPeerOptions<HttpPeersWarning>,
    ResolvedUrlPeers {
  readonly basePath: string;
  readonly dialect: Dialect;
  readonly peerWire: "native" | "golang";
  readonly connections: Required<HttpConnectionOptions>;
  readonly limits: HttpLimits;
}

const hourMs = 3_600_000;

/** Checks and completes the options. Throws `INVALID_ARGUMENT` naming the field and its range. */
export function resolveHttpOptions(options: HttpPeersOptions): ResolvedHttpOptions {
  knownOptions<HttpPeersOptions>("createHttpPeers", options, {
    ...peerOptionNames,
    ...urlOptionNames,
    basePath: 1,
    dialect: 1,
    peerWire: 1,
    connections: 1,
  });
  const common = resolvePeerOptions(options);
  return {
    ...common,
    ...resolveUrlPeers(options, { common, spelling: httpUrls }),
    basePath: checkBasePath(options.basePath),
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
  knownOptions("connections", given, {
    maxPerPeer: 1,
    maxUnanswered: 1,
    connectTimeoutMs: 1,
    keepAliveMs: 1,
  });
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
  knownOptions<Partial<HttpLimits>>("limits", given, {
    ...peerLimitNames,
    bodyTimeoutMs: 1,
    getTimeoutMs: 1,
  });
  return {
    ...resolvePeerLimits(given),
    bodyTimeoutMs: rangeOption("limits.bodyTimeoutMs", given.bodyTimeoutMs, [5000, 1, hourMs]),
    getTimeoutMs: rangeOption("limits.getTimeoutMs", given.getTimeoutMs, [30_000, 1, hourMs]),
  };
}
