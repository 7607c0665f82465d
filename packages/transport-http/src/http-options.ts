import { choiceOption, type NumberRange, rangeOption, wholeOption } from "@parsec/core/authoring";
import {
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
import { checkBasePath, httpUrls } from "./http-urls.ts";
import type { Dialect } from "./http-wire.ts";

/** An event an operator should know of. Never holds a secret, a key or an input. */
export type HttpPeersWarning = PeerWarning;

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
export interface HttpPeersOptions
  extends PeerOptions<HttpPeersWarning, HttpLimits>,
    UrlPeerOptions {
  /** Where the handler is mounted, on every node. Defaults to `"/_groupcache/"`. */
  readonly basePath?: string;
  /** How a `+` in a GET's path is read: `"golang"` when Go's groupcache is among the askers. Defaults to `"native"`. */
  readonly dialect?: Dialect;
  /** What this node sends: frames, or GETs that Go's groupcache understands. Defaults to `"native"`. */
  readonly peerWire?: "native" | "golang";
  readonly connections?: HttpConnectionOptions;
}

/** {@link HttpPeersOptions}, each with its value. */
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
  return {
    ...resolvePeerOptions(options),
    ...resolveUrlPeers(options, httpUrls),
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
