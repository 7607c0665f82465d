import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
import type { PeerDiscovery } from "@parsec/core";
import {
  choiceOption,
  describe,
  invalidArgument,
  rangeOption,
  wholeOption,
} from "@parsec/core/authoring";
import {
  discoveryOption,
  type PeerLimits,
  type PeerOptions,
  type PeerWarning,
  type ResolvedPeerOptions,
  resolvePeerLimits,
  resolvePeerOptions,
} from "@parsec/core/transport";
import { type NatsServers, resolveServers } from "@parsec/nats";
import { checkMembers, checkName, type NatsSubjects, natsSubjects } from "./nats-subjects.ts";

/** An event an operator should know of. Never holds a secret, a key or an input. */
export type NatsPeersWarning = PeerWarning<
  "disconnected" | "reconnected" | "refused" | "membership" | "duplicate-node"
>;

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

/** Limits of one node. Sizes in bytes, times in milliseconds. */
export interface NatsLimits extends PeerLimits {
  /** Requests to one peer that it has not begun to answer; while there are as many, lookups gather in larger ones. Defaults to 4. */
  readonly maxUnanswered: number;
  /** Requests to one peer under way, counting those that wait for slow origins only. Defaults to 64; at least 3. */
  readonly maxOpen: number;
  /** Bytes of requests that arrive in several pieces, held at once. Defaults to 64 MiB. */
  readonly maxPartialBytes: number;
  /** How long the pieces of a request may take to arrive. Defaults to 5,000. */
  readonly requestTimeoutMs: number;
  /** Bytes of one request's answers under way to an asker that has not taken them. Defaults to 512 KiB. */
  readonly answerWindowBytes: number;
}

/** Options of `createNatsPeers`. */
export interface NatsPeersOptions extends PeerOptions<NatsPeersWarning, NatsLimits> {
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
  /** How nodes find each other: heartbeats in a bucket (`"kv"`, the default, needs JetStream), a fixed list of all ids, or a discovery that finds those ids. */
  readonly membership?:
    | "kv"
    | { readonly kv: NatsKvMembership }
    | { readonly static: readonly string[] }
    | { readonly discovery: PeerDiscovery };
  /** Serves whoever reaches the NATS server, even one on another machine that asks for no credentials. */
  readonly insecure?: true;
}

/** {@link NatsPeersOptions}, each with its value. */
export interface ResolvedNatsOptions extends ResolvedPeerOptions<NatsPeersWarning> {
  readonly cluster: string;
  readonly nodeId: string;
  readonly subjects: NatsSubjects;
  /** A connection given, or what to make one of. */
  readonly connection: NatsConnection | undefined;
  readonly servers: NatsServers;
  readonly membership: ResolvedMembership;
  readonly limits: NatsLimits;
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

/** Checks and completes the options. Throws `INVALID_ARGUMENT` naming the field and its range. */
export function resolveNatsOptions(options: NatsPeersOptions): ResolvedNatsOptions {
  const common = resolvePeerOptions(options);
  const cluster = checkName("cluster", options.cluster);
  const nodeId = checkName("nodeId", options.nodeId);
  const subjects = natsSubjects({ cluster, nodeId, session: common.sender.toString(36) });
  return {
    ...common,
    cluster,
    nodeId,
    subjects,
    connection: checkConnection(options),
    servers: resolveServers(options.servers, options.connectionOptions),
    membership: resolveMembership(options, { nodeId, clusterToken: subjects.cluster }),
    limits: resolveLimits(options.limits ?? {}),
  };
}

function checkConnection(options: NatsPeersOptions): NatsConnection | undefined {
  const { connection, servers, connectionOptions } = options;
  if (connection === undefined) return undefined;
  if (servers !== undefined || connectionOptions !== undefined) {
    throw invalidArgument("connection excludes servers and connectionOptions");
  }
  // The legacy client's connection has no features of the current line's JetStream.
  const valid =
    typeof connection === "object" &&
    connection !== null &&
    typeof connection.status === "function";
  if (!valid || !("features" in connection)) {
    throw invalidArgument(
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
  throw invalidArgument(
    `membership must be "kv", { kv: … }, { static: […] } or { discovery: … }, got ${describe(membership)}`,
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
