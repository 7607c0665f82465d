import { randomBytes } from "node:crypto";
import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
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
import { type NatsServers, resolveServers } from "@parsec/nats";
import { checkMembers, checkName, type NatsSubjects, natsSubjects } from "./nats-subjects.ts";

/** Something an operator should know. Never holds a secret, a key or an input. */
export interface NatsPeersWarning {
  readonly kind:
    | "peer-left-out"
    | "peer-taken-back"
    | "disconnected"
    | "reconnected"
    | "unprotected"
    | "refused"
    | "membership"
    | "duplicate-node";
  /** The node it is about: a peer, or this one. */
  readonly peerId: string;
  readonly message: string;
}

/** How `connect` of `@nats-io/transport-node` is told about credentials, TLS and such. Reconnecting is our part. */
export type NatsConnectionOptions = Omit<
  NodeConnectionOptions,
  | "servers"
  | "port"
  | "reconnect"
  | "maxReconnectAttempts"
  | "reconnectDelayHandler"
  | "reconnectJitter"
  | "reconnectJitterTLS"
  | "reconnectTimeWait"
  | "waitOnFirstConnect"
  | "ignoreAuthErrorAbort"
>;

/** Members announce themselves by heartbeats in a bucket of JetStream's key-value store. */
export interface NatsKvMembership {
  /** The bucket's name. Defaults to one that is named after the cluster. The same on every node. */
  readonly bucket?: string;
  /** How often a member says that it is there. Defaults to 1,000. */
  readonly heartbeatMs?: number;
  /** A member not heard for this long is dropped. Defaults to 3,500; at least twice `heartbeatMs`. */
  readonly silenceMs?: number;
  /** How long a new member is watched before it owns keys; longer for one that fell silent lately. Defaults to 200. */
  readonly joinDelayMs?: number;
  /** Copies of the bucket, when this node makes it. Defaults to 1; take 3 where three servers form a cluster. */
  readonly replicas?: number;
  /** Where the bucket lives, when this node makes it. Defaults to `"memory"`: what it holds is worth nothing after a second. */
  readonly storage?: "memory" | "file";
}

export interface NatsLimits extends FrameLimits {
  /** Lookups that one request carries. Defaults to 128; no more than the peers' `maxLookups`. */
  readonly maxLookupsSent: number;
  /** Lookups that may wait to be sent to one peer. Defaults to 16,384. */
  readonly maxQueued: number;
  /** Requests to one peer that it has not begun to answer; while there are as many, lookups gather in larger ones. Defaults to 4. */
  readonly maxUnanswered: number;
  /** Requests to one peer under way, counting those that wait for slow origins only. Defaults to 64; at least 3. */
  readonly maxOpen: number;
  /** Requests from peers under way at once. Defaults to 4,096. */
  readonly maxRequests: number;
  /** Bytes of requests that arrive in several pieces, held at once. Defaults to 64 MiB. */
  readonly maxPartialBytes: number;
  /** How long the pieces of a request may take to arrive. Defaults to 5,000. */
  readonly requestTimeoutMs: number;
  /** Bytes of one request's answers under way to an asker that has not taken them. Defaults to 512 KiB. */
  readonly answerWindowBytes: number;
  /** How far apart the clocks of two nodes may be when messages are signed. Defaults to 30,000. */
  readonly maxClockSkewMs: number;
}

export interface NatsHealthOptions extends PeerHealthOptions {
  /** A peer that owes answers and says nothing for this long is pinged. Defaults to 1,000. */
  readonly silenceMs: number;
}

export interface NatsPeersOptions {
  /** Names the cluster: nodes of another name on the same servers are not seen. */
  readonly cluster: string;
  /** Names this node; no other node of the cluster may have it. What placement hashes. */
  readonly nodeId: string;
  /** A connection of yours (`@nats-io/transport-node` or another of its family); it is not closed by `close`. */
  readonly connection?: NatsConnection;
  /** Or where to connect to: `"nats://host:4222"`, several for a cluster; `tls://` demands TLS. Defaults to 127.0.0.1:4222. */
  readonly servers?: string | readonly string[];
  /** Credentials, TLS and the like for `servers`. */
  readonly connectionOptions?: NatsConnectionOptions;
  /** The same on every node. Defaults to `"slots"`. */
  readonly placement?: PlacementName;
  /** How nodes find each other: heartbeats in a bucket (`"kv"`, the default, needs JetStream), a fixed list of all ids, or a discovery that finds those ids. */
  readonly membership?:
    | "kv"
    | { readonly kv: NatsKvMembership }
    | { readonly static: readonly string[] }
    | { readonly discovery: PeerDiscovery };
  /** Signs messages, and refuses unsigned ones. At least 16 characters; of several the first signs and all are believed. */
  readonly secret?: string | readonly string[];
  /** Serves whoever reaches the NATS server, even one on another machine that asks for no credentials. */
  readonly insecure?: true;
  readonly limits?: Partial<NatsLimits>;
  /** When a peer is left out and taken back, and when its silence is taken for death. */
  readonly health?: Partial<NatsHealthOptions>;
  /** How long `close` waits for requests under way. Defaults to 5,000. */
  readonly closeTimeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly onWarning?: (warning: NatsPeersWarning) => void;
}

/** Every option with its value. */
export interface ResolvedNatsOptions {
  readonly cluster: string;
  readonly nodeId: string;
  readonly subjects: NatsSubjects;
  /** A connection given, or what to make one of. */
  readonly connection: NatsConnection | undefined;
  readonly servers: NatsServers;
  readonly placement: PlacementName;
  readonly membership: ResolvedMembership;
  readonly secrets: readonly string[];
  readonly insecure: boolean;
  readonly limits: NatsLimits;
  readonly health: NatsHealthOptions;
  readonly closeTimeoutMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onWarning: (warning: NatsPeersWarning) => void;
  /** Names this node since its start: in frames, in messages and in its reply subject. */
  readonly session: number;
}

export type ResolvedMembership =
  | {
      readonly kind: "static";
      readonly ids: readonly string[];
      /** Changes them while the node runs. */
      readonly discovery: PeerDiscovery | undefined;
    }
  | ({ readonly kind: "kv" } & Required<NatsKvMembership>);

const hourMs = 3_600_000;
const gibibyte = 1024 * 1024 * 1024;

/** Checks and completes the options. Throws `INVALID_ARGUMENT` naming the field and what it may be. */
export function resolveNatsOptions(options: NatsPeersOptions): ResolvedNatsOptions {
  if (typeof options !== "object" || options === null) {
    throw invalid(`the options must be an object, not ${describe(options)}`);
  }
  const cluster = checkName("cluster", options.cluster);
  const nodeId = checkName("nodeId", options.nodeId);
  if (options.insecure !== undefined && options.insecure !== true) {
    throw invalid(`insecure may only be left out or true, not ${describe(options.insecure)}`);
  }
  // Not from `random`: two nodes with the same seed must still tell each other apart.
  const session = randomBytes(6).readUIntBE(0, 6) + 1;
  const subjects = natsSubjects({ cluster, nodeId, session: session.toString(36) });
  return {
    cluster,
    nodeId,
    subjects,
    connection: checkConnection(options),
    servers: resolveServers(options.servers, options.connectionOptions),
    placement: choiceOption("placement", {
      given: options.placement,
      choices: ["slots", "groupcache"],
    }),
    membership: resolveMembership(options, { nodeId, clusterToken: subjects.cluster }),
    secrets: secretsOption(options.secret),
    insecure: options.insecure === true,
    limits: resolveLimits(options.limits ?? {}),
    health: resolvePeerHealth(options.health ?? {}),
    closeTimeoutMs: rangeOption("closeTimeoutMs", options.closeTimeoutMs, [5000, 0, hourMs]),
    clock: options.clock ?? createSystemClock(),
    random: options.random ?? Math.random,
    onWarning: guarded(options.onWarning),
    session,
  };
}

/** What a callback of the user's throws must not end up in the client's own loops. */
function guarded(onWarning: NatsPeersOptions["onWarning"]): (warning: NatsPeersWarning) => void {
  return (warning) => {
    try {
      onWarning?.(warning);
    } catch {
      // Its own affair.
    }
  };
}

function checkConnection(options: NatsPeersOptions): NatsConnection | undefined {
  const { connection, servers, connectionOptions } = options;
  if (connection === undefined) return undefined;
  if (servers !== undefined || connectionOptions !== undefined) {
    throw invalid("connection excludes servers and connectionOptions");
  }
  // The legacy client's connection has no features of the current line's JetStream.
  const valid =
    typeof connection === "object" &&
    connection !== null &&
    typeof connection.status === "function";
  if (!valid || !("features" in connection)) {
    throw invalid(
      "connection must be a NatsConnection of @nats-io/transport-node or another of its family; npm nats 2 is its legacy line",
    );
  }
  return connection;
}

function resolveMembership(
  options: NatsPeersOptions,
  names: { readonly nodeId: string; readonly clusterToken: string },
): ResolvedMembership {
  const { membership = "kv" } = options;
  if (typeof membership === "object" && membership !== null) {
    if ("static" in membership) {
      const ids = checkMembers("membership.static", {
        nodeId: names.nodeId,
        ids: membership.static,
      });
      return { kind: "static", ids, discovery: undefined };
    }
    if ("discovery" in membership && membership.discovery !== undefined) {
      const discovery = discoveryOption(membership.discovery);
      return { kind: "static", ids: [names.nodeId], discovery };
    }
    if ("kv" in membership) return resolveKv(membership.kv, names.clusterToken);
  }
  if (membership === "kv") return resolveKv({}, names.clusterToken);
  throw invalid(
    `membership must be "kv", { kv: … }, { static: […] } or { discovery: … }, not ${describe(membership)}`,
  );
}

function resolveKv(given: NatsKvMembership, clusterToken: string): ResolvedMembership {
  const heartbeatMs = rangeOption("membership.kv.heartbeatMs", given.heartbeatMs, [
    1000,
    10,
    hourMs,
  ]);
  const fallback = heartbeatMs * 3.5;
  // A bucket's name may not hold "=", with which some tokens begin. Keys tell clusters apart all the same.
  const bucket = given.bucket ?? `parsec_${clusterToken.replace("=", "_")}`;
  if (typeof bucket !== "string" || !/^[A-Za-z0-9_-]+$/.test(bucket)) {
    throw invalid(`membership.kv.bucket must be letters, digits, - and _, not ${describe(bucket)}`);
  }
  return {
    kind: "kv",
    bucket,
    heartbeatMs,
    silenceMs: rangeOption("membership.kv.silenceMs", given.silenceMs, [
      fallback,
      heartbeatMs * 2,
      hourMs * 24,
    ]),
    joinDelayMs: rangeOption("membership.kv.joinDelayMs", given.joinDelayMs, [200, 0, hourMs]),
    replicas: wholeOption("membership.kv.replicas", given.replicas, [1, 1, 5]),
    storage: choiceOption("membership.kv.storage", {
      given: given.storage,
      choices: ["memory", "file"],
    }),
  };
}

function resolveLimits(given: Partial<NatsLimits>): NatsLimits {
  const frames = resolveFrameLimits(given);
  const maxOpen = wholeOption("limits.maxOpen", given.maxOpen, [64, 3, 10_000]);
  const partial = Math.max(64 * 1024 * 1024, frames.maxFrameBytes);
  return {
    ...frames,
    maxLookupsSent: wholeOption("limits.maxLookupsSent", given.maxLookupsSent, [
      Math.min(128, frames.maxLookups),
      1,
      65_535,
    ]),
    maxQueued: wholeOption("limits.maxQueued", given.maxQueued, [16_384, 1, 10_000_000]),
    maxUnanswered: wholeOption("limits.maxUnanswered", given.maxUnanswered, [
      Math.min(4, maxOpen),
      1,
      maxOpen,
    ]),
    maxOpen,
    maxRequests: wholeOption("limits.maxRequests", given.maxRequests, [4096, 1, 1_000_000]),
    maxPartialBytes: wholeOption("limits.maxPartialBytes", given.maxPartialBytes, [
      partial,
      frames.maxFrameBytes,
      gibibyte * 16,
    ]),
    requestTimeoutMs: rangeOption("limits.requestTimeoutMs", given.requestTimeoutMs, [
      5000,
      1,
      hourMs,
    ]),
    answerWindowBytes: wholeOption("limits.answerWindowBytes", given.answerWindowBytes, [
      512 * 1024,
      4096,
      gibibyte,
    ]),
    maxClockSkewMs: rangeOption("limits.maxClockSkewMs", given.maxClockSkewMs, [30_000, 1, hourMs]),
  };
}

function invalid(message: string): ParsecError {
  return new ParsecError("INVALID_ARGUMENT", message);
}
