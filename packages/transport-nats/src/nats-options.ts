import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
import type { PeerDiscovery } from "@parsec/core";
import {
  choiceOption,
  describe,
  invalidArgument,
  knownOptions,
  rangeOption,
  wholeOption,
} from "@parsec/core/authoring";
import {
  discoveryOption,
  hostSecret,
  type PeerLimits,
  type PeerOptions,
  type PeerWarning,
  peerLimitNames,
  peerOptionNames,
  type ResolvedPeerOptions,
  resolvePeerLimits,
  resolvePeerOptions,
} from "@parsec/core/transport";
import { isOpenOnLoopback, type NatsServers, resolveServers } from "@parsec/nats";
import { checkMembers, checkName, type NatsSubjects, natsSubjects } from "./nats-subjects.ts";

/** An event an operator should know of. Never holds a secret, a key or an input. */
export type NatsPeersWarning = PeerWarning<
  "disconnected" | "reconnected" | "refused" | "membership" | "duplicate-node"
>;

/** Options of `connect` of `@nats-io/transport-node`, such as credentials and TLS, except those of reconnects. */
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

/** Options of membership by heartbeats in a bucket of JetStream's key-value store. */
export interface NatsKvMembership {
  /** Name of the bucket; the same on every node. Defaults to `parsec_` and the cluster's name. */
  readonly bucket?: string;
  /** Interval of heartbeats. Defaults to 1,000. */
  readonly heartbeatMs?: number;
  /** A member without a heartbeat for this long is dropped. Defaults to 3.5 times `heartbeatMs`; at least twice. */
  readonly silenceMs?: number;
  /** Delay before a new member owns keys; longer for one that fell silent recently. Defaults to 200. */
  readonly joinDelayMs?: number;
  /** Copies of the bucket, if this node creates it. Defaults to 1; use 3 in a cluster of three servers. */
  readonly replicas?: number;
  /** Storage of the bucket, if this node creates it. Defaults to `"memory"`, because heartbeats are obsolete after a second. */
  readonly storage?: "memory" | "file";
}

/** Limits of one node. Sizes in bytes, times in milliseconds. */
export interface NatsLimits extends PeerLimits {
  /** Requests to one peer that it has not begun to answer; beyond that, lookups gather in larger batches. Defaults to 4. */
  readonly maxUnanswered: number;
  /** Requests to one peer under way, including those that wait for slow origins. Defaults to 64; at least 3. */
  readonly maxOpen: number;
  /** Bytes of incomplete requests that arrive in pieces. Defaults to 64 MiB. */
  readonly maxPartialBytes: number;
  /** Time limit for the pieces of a request to arrive. Defaults to 5,000. */
  readonly requestTimeoutMs: number;
  /** Bytes of answers to one request that are sent before the requesting node has received them. Defaults to 512 KiB. */
  readonly answerWindowBytes: number;
}

/** Options of `createNatsPeers`. */
export interface NatsPeersOptions extends PeerOptions<NatsPeersWarning, NatsLimits> {
  /** Name of the cluster: clusters with different names on the same servers do not see each other. */
  readonly cluster: string;
  /** Name of this node, unique in the cluster. Placement hashes it. */
  readonly nodeId: string;
  /** A connection that the application made with `@nats-io/transport-node` or another client of its family. `close` leaves it open. */
  readonly connection?: NatsConnection;
  /** URL of the server, such as `"nats://host:4222"`, or several for a cluster; `tls://` demands TLS. Defaults to 127.0.0.1:4222. */
  readonly servers?: string | readonly string[];
  /** Credentials, TLS and other options of the connection to `servers`. */
  readonly connectionOptions?: NatsConnectionOptions;
  /** How nodes find each other: heartbeats in a bucket (`"kv"`, needs JetStream), a fixed list of all ids, or a discovery of the ids. Defaults to `"kv"`. */
  readonly membership?:
    | "kv"
    | { readonly kv: NatsKvMembership }
    | { readonly static: readonly string[] }
    | { readonly discovery: PeerDiscovery };
  /** Accepts a server on another machine that lets clients in without credentials. */
  readonly insecure?: true;
}

/** {@link NatsPeersOptions}, each with its value. */
export interface ResolvedNatsOptions extends ResolvedPeerOptions<NatsPeersWarning> {
  readonly cluster: string;
  readonly nodeId: string;
  readonly subjects: NatsSubjects;
  /** The connection of the application, used instead of `servers`. */
  readonly connection: NatsConnection | undefined;
  readonly servers: NatsServers;
  readonly membership: ResolvedMembership;
  readonly limits: NatsLimits;
}

export type ResolvedMembership =
  | {
      readonly kind: "static";
      readonly ids: readonly string[];
      /** Updates the ids while the node runs. */
      readonly discovery: PeerDiscovery | undefined;
    }
  | ({ readonly kind: "kv" } & Required<NatsKvMembership>);

const hourMs = 3_600_000;
const gibibyte = 1024 * 1024 * 1024;

/** Checks and completes the options. Throws `INVALID_ARGUMENT` naming the field and its range. */
export function resolveNatsOptions(options: NatsPeersOptions): ResolvedNatsOptions {
  knownOptions<NatsPeersOptions>("createNatsPeers", options, {
    ...peerOptionNames,
    cluster: 1,
    nodeId: 1,
    connection: 1,
    servers: 1,
    connectionOptions: 1,
    membership: 1,
  });
  const common = resolvePeerOptions(options);
  const cluster = checkName("cluster", options.cluster);
  const nodeId = checkName("nodeId", options.nodeId);
  const subjects = natsSubjects({ cluster, nodeId, session: common.sender.toString(36) });
  const connection = checkConnection(options);
  const servers = resolveServers(options.servers, options.connectionOptions);
  // The server lets everybody in, and whatever a proxy forwards comes from loopback.
  const sharesHostSecret =
    common.secrets.length === 0 && !common.insecure && isOpenOnLoopback({ servers, connection });
  return {
    ...common,
    cluster,
    nodeId,
    subjects,
    secrets: sharesHostSecret ? [hostSecret()] : common.secrets,
    connection,
    servers,
    membership: resolveMembership(options, { nodeId, clusterToken: subjects.cluster }),
    limits: resolveLimits(options.limits ?? {}),
  };
}

function checkConnection(options: NatsPeersOptions): NatsConnection | undefined {
  const { connection, servers, connectionOptions } = options;
  if (connection === undefined) return undefined;
  if (servers !== undefined || connectionOptions !== undefined) {
    throw invalidArgument(
      "connection: set either connection or servers and connectionOptions, not both",
    );
  }
  // A connection of the legacy client lacks the `features` that JetStream of the current line needs.
  const valid =
    typeof connection === "object" &&
    connection !== null &&
    typeof connection.status === "function";
  if (!valid || !("features" in connection)) {
    throw invalidArgument(
      "connection must be a NatsConnection of @nats-io/transport-node or another client of its family; the npm package nats 2 is its legacy line",
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
    knownOptions<object>("membership", membership, { kv: 1, static: 1, discovery: 1 } as const);
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
  throw invalidArgument(
    `membership must be "kv", { kv: … }, { static: […] } or { discovery: … }, got ${describe(membership)}`,
  );
}

function resolveKv(given: NatsKvMembership, clusterToken: string): ResolvedMembership {
  knownOptions("membership.kv", given, {
    bucket: 1,
    heartbeatMs: 1,
    silenceMs: 1,
    joinDelayMs: 1,
    replicas: 1,
    storage: 1,
  });
  const heartbeatMs = rangeOption("membership.kv.heartbeatMs", given.heartbeatMs, [
    1000,
    10,
    hourMs,
  ]);
  const fallback = heartbeatMs * 3.5;
  // A bucket's name must not contain "=", with which some tokens begin. The keys still separate clusters.
  const bucket = given.bucket ?? `parsec_${clusterToken.replace("=", "_")}`;
  if (typeof bucket !== "string" || !/^[A-Za-z0-9_-]+$/.test(bucket)) {
    throw invalidArgument(
      `membership.kv.bucket must be letters, digits, - and _, got ${describe(bucket)}`,
    );
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
  knownOptions<Partial<NatsLimits>>("limits", given, {
    ...peerLimitNames,
    maxUnanswered: 1,
    maxOpen: 1,
    maxPartialBytes: 1,
    requestTimeoutMs: 1,
    answerWindowBytes: 1,
  });
  const common = resolvePeerLimits(given);
  const maxOpen = wholeOption("limits.maxOpen", given.maxOpen, [64, 3, 10_000]);
  const { maxFrameBytes } = common;
  return {
    ...common,
    maxUnanswered: wholeOption("limits.maxUnanswered", given.maxUnanswered, [
      Math.min(4, maxOpen),
      1,
      maxOpen,
    ]),
    maxOpen,
    maxPartialBytes: wholeOption("limits.maxPartialBytes", given.maxPartialBytes, [
      Math.max(64 * 1024 * 1024, maxFrameBytes),
      maxFrameBytes,
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
  };
}
