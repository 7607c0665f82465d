import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
import { type Clock, ParsecError } from "@parsec/core";
import {
  choiceOption,
  describe,
  knownOptions,
  numberOption,
  type OptionNames,
  wholeOption,
} from "@parsec/core/authoring";
import type { Coordinator } from "./coordinator/coordinator.ts";
import { createMonotonicClock } from "./lease/monotonic-clock.ts";
import type { Link } from "./link/link.ts";
import type { WriteAck } from "./replication/partition-log.ts";
import type { PartitionState } from "./replication/partition-state.ts";
import { tableLimits } from "./table/table-limits.ts";

/** {@link RingOptions} with a value for each optional field. */
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

/** Options of the connection to NATS and of the bucket there. */
export interface RingNatsOptions {
  /** One or several URLs. Defaults to `nats://127.0.0.1:4222`. */
  readonly servers?: string | readonly string[];
  /** Passed to the client of `@nats-io/transport-node`: credentials, TLS, timeouts. */
  readonly connectionOptions?: NodeConnectionOptions;
  /** Copies of the bucket that NATS keeps. Defaults to 1; use 3 in a cluster of NATS servers. */
  readonly bucketReplicas?: number;
  /** Where NATS keeps the bucket. Defaults to `file`, so that it survives a restart of the server. */
  readonly bucketStorage?: "file" | "memory";
  /** Allows a server on another machine that accepts clients without credentials. */
  readonly insecure?: boolean;
}

export interface RingOptions extends RingNatsOptions {
  /** Name of the ring: nodes of one platform share one table. */
  readonly platform: string;
  /** Name of this node: unique in the ring, and the same after a restart. */
  readonly node: string;
  /** A connection to NATS that the application made, used instead of `servers`. Stays open when the ring closes. */
  readonly connection?: NatsConnection;
  /** Replaces NATS as the storage through which nodes agree; needs `link`. See `createMemoryHub`. */
  readonly coordinator?: Coordinator;
  /** Replaces NATS as the way of requests between nodes; needs `coordinator`. */
  readonly link?: Link;
  /** Number of partitions, fixed for the life of the ring. Defaults to 64; use 256 or more for more than ten nodes. */
  readonly partitions?: number;
  /** Copies of each partition, including the owner's, fixed for the life of the ring. Defaults to 2. */
  readonly replicas?: number;
  /** Failure zone of this node: the copies of a partition are placed in different zones where possible. */
  readonly zone?: string;
  /** This node's share of partitions, relative to other nodes. Defaults to 1. With 0 it owns none, and can only send requests. */
  readonly weight?: number;
  /** When a write is acknowledged. Defaults to `one-backup`. */
  readonly ack?: WriteAck;
  /** The application's data, which the ring replicates, moves and recovers. Without it, the ring only assigns owners. */
  readonly state?: PartitionState;
  /** Whether the state survives a restart of the process. Needs `state.position`. Defaults to false. */
  readonly durable?: boolean;
  /** How long a lease is valid. Defaults to 1800. A node that dies is replaced soon after; one that stalls for longer loses its partitions. */
  readonly leaseMs?: number;
  /** Safety margin for clocks that run at different rates. Defaults to a ninth of `leaseMs`: 200. */
  readonly marginMs?: number;
  /** How long the plan waits for further nodes after one has joined, so that partitions move once. Defaults to 250. */
  readonly joinDelayMs?: number;
  /** How long partitions without a living copy wait for their node to return. Defaults to 0, or 30,000 when `durable`. */
  readonly rejoinGraceMs?: number;
  /** How long `onOwn` and `onRelease` hooks may take, and requests under way at a move. Defaults to 5,000. */
  readonly hookTimeoutMs?: number;
  /** How long `leave` tries to hand all partitions over. Defaults to 15,000. */
  readonly leaveTimeoutMs?: number;
  /** The default time limit of `call`, `read` and `write`. Defaults to 5,000. */
  readonly requestTimeoutMs?: number;
  /** How long a write waits for a silent backup before the owner removes it from the table. Defaults to 700. */
  readonly replicaTimeoutMs?: number;
  /** Partitions that a node hands over, and receives, at the same time. Defaults to 8, or a 16th of `partitions` if that is more. */
  readonly maxMoves?: number;
  /** Requests of this node that may be under way; more are rejected with `OVERLOADED`. Defaults to 16,384. */
  readonly maxPending?: number;
  /** Longest key of `call`, in bytes. Defaults to 4,096. */
  readonly maxKeyBytes?: number;
  /** Longest payload and answer, in bytes. Defaults to 8 MiB. */
  readonly maxPayloadBytes?: number;
  /** Limits of copies of whole partitions: copies at once (4), bytes per second (100 MB), and bytes of operations kept for a backup that lags (32 MiB). */
  readonly copies?: {
    readonly concurrent?: number;
    readonly bytesPerSecond?: number;
    readonly retainedBytes?: number;
  };
  /** For tests. Must go on while the process is suspended. */
  readonly clock?: Clock;
  readonly random?: () => number;
}

const ringOptionNames: OptionNames<RingOptions> = {
  platform: 1,
  node: 1,
  servers: 1,
  connection: 1,
  connectionOptions: 1,
  bucketReplicas: 1,
  bucketStorage: 1,
  insecure: 1,
  coordinator: 1,
  link: 1,
  partitions: 1,
  replicas: 1,
  zone: 1,
  weight: 1,
  ack: 1,
  state: 1,
  durable: 1,
  leaseMs: 1,
  marginMs: 1,
  joinDelayMs: 1,
  rejoinGraceMs: 1,
  hookTimeoutMs: 1,
  leaveTimeoutMs: 1,
  requestTimeoutMs: 1,
  replicaTimeoutMs: 1,
  maxMoves: 1,
  maxPending: 1,
  maxKeyBytes: 1,
  maxPayloadBytes: 1,
  copies: 1,
  clock: 1,
  random: 1,
};

/** Checks and completes the options. Throws `INVALID_ARGUMENT` naming the option and its limits. */
export function resolveRingOptions(options: RingOptions): RingSettings {
  knownOptions("createRing", options, ringOptionNames);
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
  knownOptions("copies", options.copies ?? {}, {
    concurrent: 1,
    bytesPerSecond: 1,
    retainedBytes: 1,
  });
  const partitions = whole("partitions", 64, maxPartitions);
  const { copies = {}, durable = false, state } = options;
  checkState(state, durable);
  const copyOption = (name: keyof typeof copies, fallback: number): number =>
    numberOption(`copies.${name}`, { given: copies[name], fallback, min: 1, max: 2 ** 40 });
  return {
    platform: nameOption("platform", options.platform),
    node: nameOption("node", options.node),
    zone: options.zone === undefined ? "" : nameOption("zone", options.zone),
    weight: numberOption("weight", { given: options.weight, fallback: 1, min: 0, max: maxWeight }),
    partitions,
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
    maxMoves: whole("maxMoves", Math.max(8, Math.ceil(partitions / 16)), maxPartitions),
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

/** Throws `INVALID_ARGUMENT` unless it is a string of 1 to 255 bytes without lone surrogates. */
function nameOption(field: string, given: unknown): string {
  const max = tableLimits.maxNameBytes;
  const isName = typeof given === "string" && given !== "" && Buffer.byteLength(given) <= max;
  // A lone surrogate does not survive UTF-8, so two nodes could share a name.
  if (isName && Buffer.from(given).toString("utf8") === given) return given;
  throw new ParsecError(
    "INVALID_ARGUMENT",
    `${field} must be a string of 1 to ${max} bytes, got ${describe(given)}`,
  );
}

function checkState(state: PartitionState | undefined, durable: boolean): void {
  if (durable && typeof state?.position !== "function") {
    throw new ParsecError("INVALID_ARGUMENT", "durable: state.position must be a function");
  }
  if (state === undefined) return;
  for (const method of ["apply", "snapshot", "restore", "drop"] as const) {
    if (typeof (state as Partial<PartitionState> | null)?.[method] !== "function") {
      throw new ParsecError("INVALID_ARGUMENT", `state.${method} must be a function`);
    }
  }
}
