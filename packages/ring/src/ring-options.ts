import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
import { type Clock, ParsecError } from "@parsec/core";
import { choiceOption, describe, numberOption, wholeOption } from "@parsec/core/authoring";
import type { Coordinator } from "./coordinator/coordinator.ts";
import { createMonotonicClock } from "./lease/monotonic-clock.ts";
import type { Link } from "./link/link.ts";
import type { WriteAck } from "./replication/partition-log.ts";
import type { PartitionState } from "./replication/partition-state.ts";
import { tableLimits } from "./table/table-limits.ts";

/** See {@link RingOptions}: everything optional there has its value here. */
export interface RingSettings {
  readonly platform: string;
  readonly node: string;
  readonly zone: string;
  readonly weight: number;
  readonly partitions: number;
  readonly replicas: number;
  readonly ack: WriteAck;
  readonly state: PartitionState | undefined;
  readonly durable: boolean;
  readonly leaseMs: number;
  readonly marginMs: number;
  readonly joinDelayMs: number;
  readonly rejoinGraceMs: number;
  readonly hookTimeoutMs: number;
  readonly leaveTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly replicaTimeoutMs: number;
  readonly maxMoves: number;
  readonly maxPending: number;
  readonly maxKeyBytes: number;
  readonly maxPayloadBytes: number;
  readonly copies: {
    readonly concurrent: number;
    readonly bytesPerSecond: number;
    readonly retainedBytes: number;
  };
  readonly clock: Clock;
  readonly random: () => number;
}

/** How a ring reaches NATS when it makes the connection itself. */
export interface RingNatsOptions {
  /** One or several URLs; `nats://127.0.0.1:4222` by default. */
  readonly servers?: string | readonly string[];
  /** Handed to the client: credentials, TLS, timeouts. */
  readonly connectionOptions?: NodeConnectionOptions;
  /** Copies of the bucket that NATS keeps: 1 by default; 3 in a cluster of NATS servers. */
  readonly bucketReplicas?: number;
  /** Where NATS keeps the bucket: `file` by default, so that it outlasts a restart of the server. */
  readonly bucketStorage?: "file" | "memory";
  /** Allows a server beyond this machine that asks for no credentials. */
  readonly insecure?: boolean;
}

export interface RingOptions extends RingNatsOptions {
  /** Names the ring: nodes of one platform share one table. */
  readonly platform: string;
  /** This node's own name, the same after a restart, and no other node's. */
  readonly node: string;
  /** A connection to NATS of the application's own, which stays open when the ring closes. */
  readonly connection?: NatsConnection;
  /** Instead of NATS: where nodes agree, and how they reach each other. See `createMemoryHub`. */
  readonly coordinator?: Coordinator;
  readonly link?: Link;
  /** Fixed for the life of the ring; 64 by default. Take 256 or more for more than ten nodes. */
  readonly partitions?: number;
  /** Copies of each partition, the owner's included; 2 by default. Fixed for the life of the ring. */
  readonly replicas?: number;
  /** Copies are put into other zones first. */
  readonly zone?: string;
  /** This node's share beside those of others, 1 by default. 0: it owns nothing, and reaches everything. */
  readonly weight?: number;
  /** When a write is acknowledged: `one-backup` by default. */
  readonly ack?: WriteAck;
  /** The application's data, which the ring copies, moves and recovers. Without it, the ring only says who owns what. */
  readonly state?: PartitionState;
  /** Whether the state outlives the process, so that a node has it again after a restart; needs `state.position`. */
  readonly durable?: boolean;
  /** How long a lease holds: 1800 ms by default. A node that dies is replaced soon after; one that stalls for longer loses what it owns. */
  readonly leaseMs?: number;
  /** Room for clocks that run at different paces: 200 ms by default. */
  readonly marginMs?: number;
  /** How long a newcomer waits for others to come along, so that partitions move once: 250 ms by default. */
  readonly joinDelayMs?: number;
  /** How long partitions without any living copy wait for their node to return: 0 by default, 30 s when durable. */
  readonly rejoinGraceMs?: number;
  /** How long onOwn and onRelease may take, and requests under way at a move: 5000 ms by default. */
  readonly hookTimeoutMs?: number;
  /** How long `leave` tries to hand everything over: 15000 ms by default. */
  readonly leaveTimeoutMs?: number;
  /** How long `call`, `read` and `write` wait unless told otherwise: 5000 ms by default. */
  readonly requestTimeoutMs?: number;
  /** How long a write waits for a silent backup before the owner takes it out of the table: 700 ms by default. */
  readonly replicaTimeoutMs?: number;
  /** Partitions that a node gives, and takes, at the same time: 8 by default. */
  readonly maxMoves?: number;
  /** Requests of this node that may be under way: 16384 by default; more are refused with `OVERLOADED`. */
  readonly maxPending?: number;
  /** Longest key of `call`: 4096 bytes by default. */
  readonly maxKeyBytes?: number;
  /** Longest payload and answer: 8 MiB by default. */
  readonly maxPayloadBytes?: number;
  /** Copies of whole partitions: how many at once (4), how fast (100 MB/s), and what is kept for backups that lag (32 MiB). */
  readonly copies?: {
    readonly concurrent?: number;
    readonly bytesPerSecond?: number;
    readonly retainedBytes?: number;
  };
  /** For tests. It must not stand still while the process does. */
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** Throws `INVALID_ARGUMENT` naming the option and its limits. */
export function resolveRingOptions(options: RingOptions): RingSettings {
  const { maxPartitions, maxReplicas, maxWeight } = tableLimits;
  const duration = (name: keyof RingOptions, fallback: number, min = 1): number =>
    numberOption(name, {
      given: options[name] as number | undefined,
      fallback,
      min,
      max: 86_400_000,
    });
  const whole = (name: keyof RingOptions, fallback: number, max: number): number =>
    wholeOption(name, options[name] as number | undefined, [fallback, 1, max]);
  const leaseMs = duration("leaseMs", 1800, 30);
  const marginMs = numberOption("marginMs", {
    given: options.marginMs,
    fallback: Math.ceil(leaseMs / 9),
    min: 1,
    max: Math.floor(leaseMs / 3),
  });
  const { copies = {}, durable = false, state } = options;
  checkState(state, durable);
  const copyOption = (name: keyof typeof copies, fallback: number): number =>
    numberOption(`copies.${name}`, { given: copies[name], fallback, min: 1, max: 2 ** 40 });
  return {
    platform: nameOption("platform", options.platform),
    node: nameOption("node", options.node),
    zone: options.zone === undefined ? "" : nameOption("zone", options.zone),
    weight: numberOption("weight", { given: options.weight, fallback: 1, min: 0, max: maxWeight }),
    partitions: whole("partitions", 64, maxPartitions),
    replicas: whole("replicas", 2, maxReplicas),
    ack: choiceOption("ack", { given: options.ack, choices: ["one-backup", "owner", "all"] }),
    state,
    durable,
    leaseMs,
    marginMs,
    joinDelayMs: duration("joinDelayMs", 250, 0),
    rejoinGraceMs: duration("rejoinGraceMs", durable ? 30_000 : 0, 0),
    hookTimeoutMs: duration("hookTimeoutMs", 5000),
    leaveTimeoutMs: duration("leaveTimeoutMs", 15_000),
    requestTimeoutMs: duration("requestTimeoutMs", 5000),
    replicaTimeoutMs: duration("replicaTimeoutMs", 700),
    maxMoves: whole("maxMoves", 8, maxPartitions),
    maxPending: whole("maxPending", 16_384, 2 ** 31),
    maxKeyBytes: whole("maxKeyBytes", 4096, 2 ** 20),
    maxPayloadBytes: whole("maxPayloadBytes", 8 * 2 ** 20, 2 ** 30),
    copies: {
      concurrent: copyOption("concurrent", 4),
      bytesPerSecond: copyOption("bytesPerSecond", 100_000_000),
      retainedBytes: copyOption("retainedBytes", 32 * 2 ** 20),
    },
    clock: options.clock ?? createMonotonicClock(),
    random: options.random ?? Math.random,
  };
}

/** Throws `INVALID_ARGUMENT` unless it is a text of 1 to 255 bytes that UTF-8 can hold. */
function nameOption(field: string, given: unknown): string {
  const max = tableLimits.maxNameBytes;
  const isName = typeof given === "string" && given !== "" && Buffer.byteLength(given) <= max;
  // A lone surrogate does not come back from UTF-8, so two nodes could share a name.
  if (isName && Buffer.from(given).toString("utf8") === given) return given;
  throw new ParsecError(
    "INVALID_ARGUMENT",
    `${field} must be text of 1 to ${max} bytes, got ${describe(given)}`,
  );
}

function checkState(state: PartitionState | undefined, durable: boolean): void {
  if (durable && typeof state?.position !== "function") {
    throw new ParsecError("INVALID_ARGUMENT", "durable needs a state with a position function");
  }
  if (state === undefined) return;
  for (const method of ["apply", "snapshot", "restore", "drop"] as const) {
    if (typeof (state as Partial<PartitionState> | null)?.[method] !== "function") {
      throw new ParsecError("INVALID_ARGUMENT", `state.${method} must be a function`);
    }
  }
}
