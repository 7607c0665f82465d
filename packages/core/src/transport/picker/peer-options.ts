import { randomBytes } from "node:crypto";
import { type Clock, createSystemClock } from "../../clock.ts";
import {
  choiceOption,
  describe,
  invalidArgument,
  type OptionNames,
  rangeOption,
  secretsOption,
  wholeOption,
} from "../../option-checks.ts";
import type { PlacementName } from "../../placement/placement.ts";
import { type PeerHealthOptions, resolvePeerHealth } from "../health/peer-health.ts";
import { type FrameLimits, resolveFrameLimits } from "../wire/limits.ts";
import { flagOption } from "./flag-option.ts";

/** An event for operators: a circuit breaker opened (`peer-down`) or closed (`peer-up`), an endpoint is `unprotected`, a `discovery` has a problem, a node left with `undelivered` invalidations, this node was cut off and `rejoined` with empty caches, processes behind a `shared-address` cannot find each other. Contains no secrets, keys or inputs. */
export interface PeerWarning<Kind extends string = never> {
  readonly kind:
    | "peer-down"
    | "peer-up"
    | "unprotected"
    | "discovery"
    | "undelivered"
    | "rejoined"
    | "shared-address"
    | Kind;
  /** The node concerned: a peer, or this node. */
  readonly peerId: string;
  readonly message: string;
}

/** Limits that all transports have. Sizes in bytes, times in milliseconds. */
export interface PeerLimits extends FrameLimits {
  /** Most lookups in one frame that this node sends. Defaults to 128, at most `maxLookups`, which should be the same on all nodes. */
  readonly maxLookupsSent: number;
  /** Most lookups that wait to be sent to one peer; further ones fail with `OVERLOADED`. Defaults to 16,384. */
  readonly maxQueued: number;
  /** Most concurrent requests from peers; further ones are refused with `OVERLOADED`. Defaults to 4,096. */
  readonly maxRequests: number;
  /** Largest difference between the clocks of two nodes for signed requests. Defaults to 30,000. */
  readonly maxClockSkewMs: number;
}

/** Options that all transports have. Times in milliseconds. */
export interface PeerOptions<Warning, Limits extends PeerLimits = PeerLimits> {
  /** How keys are placed; the same on every node. `"groupcache"`, `"mailgun"` or `"groupcache-go"` for clusters with Go nodes of that library. Defaults to `"slots"`. */
  readonly placement?: PlacementName;
  /** Shared secret of at least 16 characters: requests are signed, and unsigned ones refused. With several secrets, the first signs and all are accepted. Where all nodes have loopback URLs, it defaults to a secret that the processes of this host share. */
  readonly secret?: string | readonly string[] | undefined;
  /** Serves everybody who reaches this node, without authentication: reads, writes and invalidations. Without it, a node that has neither secret nor certificates answers nobody. */
  readonly insecure?: true;
  /** Limits of frames, queues and requests. */
  readonly limits?: Partial<Limits>;
  /** Circuit breaker and liveness check. */
  readonly health?: Partial<PeerHealthOptions>;
  /**
   * Whether this process shares its cache with others of the same program, host and address, such as workers of
   * `node:cluster` or PM2. Defaults to true, but for a program in `node_modules` or without a configured address, which
   * only `node:cluster` and PM2 make share.
   */
  readonly workers?: boolean;
  /** How long `close` waits for open requests. Defaults to 5,000. */
  readonly closeTimeoutMs?: number;
  /** For tests; defaults to the process's monotonic clock. */
  readonly clock?: Clock;
  /** Numbers from 0 up to 1, for jitter. For tests; defaults to `Math.random`. */
  readonly random?: () => number;
  /** Called with events for operators. Its exceptions are ignored. Without it, `unprotected` is printed as a warning of the process. */
  readonly onWarning?: (warning: Warning) => void;
}

/** {@link PeerOptions} with defaults filled in, without `limits`. */
export interface ResolvedPeerOptions<Warning> {
  readonly placement: PlacementName;
  readonly secrets: readonly string[];
  readonly insecure: boolean;
  readonly health: PeerHealthOptions;
  readonly workers: boolean | undefined;
  readonly closeTimeoutMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onWarning: (warning: Warning) => void;
  /** Random integer below 2^53 that identifies this process in frames and messages. */
  readonly sender: number;
}

/** The fields of {@link PeerOptions}, for the check of unknown options with `knownOptions`. */
export const peerOptionNames: OptionNames<PeerOptions<never>> = {
  placement: 1,
  secret: 1,
  insecure: 1,
  limits: 1,
  health: 1,
  workers: 1,
  closeTimeoutMs: 1,
  clock: 1,
  random: 1,
  onWarning: 1,
};

/** The fields of {@link PeerLimits}, for the check of unknown options with `knownOptions`. */
export const peerLimitNames: OptionNames<PeerLimits> = {
  maxFrameBytes: 1,
  maxLookups: 1,
  maxGroupBytes: 1,
  maxKeyBytes: 1,
  maxInputBytes: 1,
  maxValueBytes: 1,
  maxInvalidationKeys: 1,
  maxLookupsSent: 1,
  maxQueued: 1,
  maxRequests: 1,
  maxClockSkewMs: 1,
};

const hourMs = 3_600_000;

/** Checks the common options other than `limits` and fills in defaults. Throws `INVALID_ARGUMENT` naming the option and its rule. */
export function resolvePeerOptions<Warning, Limits extends PeerLimits>(
  options: PeerOptions<Warning, Limits>,
): ResolvedPeerOptions<Warning> {
  if (typeof options !== "object" || options === null) {
    throw invalidArgument(`options must be an object, got ${describe(options)}`);
  }
  return {
    placement: choiceOption("placement", {
      given: options.placement,
      choices: ["slots", "groupcache", "mailgun", "groupcache-go"],
    }),
    secrets: secretsOption(options.secret),
    insecure: flagOption("insecure", options.insecure),
    health: resolvePeerHealth(options.health ?? {}),
    workers: workersOption(options.workers),
    closeTimeoutMs: rangeOption("closeTimeoutMs", options.closeTimeoutMs, [5000, 0, hourMs]),
    clock: options.clock ?? createSystemClock(),
    random: options.random ?? Math.random,
    onWarning: guarded(options.onWarning ?? printUnprotected),
    // Not from `random`: nodes with the same seed must have different ids.
    sender: randomBytes(6).readUIntBE(0, 6) + 1,
  };
}

/** Checks the common limits and fills in defaults. Throws `INVALID_ARGUMENT` naming the field and its range. */
export function resolvePeerLimits(given: Partial<PeerLimits>): PeerLimits {
  const frames = resolveFrameLimits(given);
  return {
    ...frames,
    maxLookupsSent: wholeOption("limits.maxLookupsSent", given.maxLookupsSent, [
      Math.min(128, frames.maxLookups),
      1,
      frames.maxLookups,
    ]),
    maxQueued: wholeOption("limits.maxQueued", given.maxQueued, [16_384, 1, 10_000_000]),
    maxRequests: wholeOption("limits.maxRequests", given.maxRequests, [4096, 1, 1_000_000]),
    maxClockSkewMs: rangeOption("limits.maxClockSkewMs", given.maxClockSkewMs, [30_000, 1, hourMs]),
  };
}

function workersOption(given: boolean | undefined): boolean | undefined {
  if (given === undefined || typeof given === "boolean") return given;
  throw invalidArgument(`workers must be true or false, got ${describe(given)}`);
}

/** Keeps exceptions of the user's callback away from the code that reports warnings. */
function guarded<Warning>(onWarning: (warning: Warning) => void): (warning: Warning) => void {
  return (warning) => {
    try {
      onWarning(warning);
    } catch {
      // Documented as ignored.
    }
  };
}

/** Without `onWarning`, a node that answers nobody would look as if it worked: each node loads everything by itself. */
function printUnprotected(warning: unknown): void {
  const { kind, message } = warning as PeerWarning;
  if (kind === "unprotected") process.emitWarning(message, { type: "ParsecWarning" });
}
