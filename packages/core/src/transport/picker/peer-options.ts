import { randomBytes } from "node:crypto";
import { type Clock, createSystemClock } from "../../clock.ts";
import {
  choiceOption,
  describe,
  invalidArgument,
  rangeOption,
  secretsOption,
  wholeOption,
} from "../../option-checks.ts";
import type { PlacementName } from "../../placement/placement.ts";
import { type PeerHealthOptions, resolvePeerHealth } from "../health/peer-health.ts";
import { type FrameLimits, resolveFrameLimits } from "../wire/limits.ts";

/** An event an operator should know of. Never holds a secret, a key or an input. */
export interface PeerWarning<Kind extends string = never> {
  readonly kind: "peer-down" | "peer-up" | "unprotected" | "discovery" | Kind;
  /** The node it is about: a peer, or this one. */
  readonly peerId: string;
  readonly message: string;
}

/** Limits of every transport. Sizes in bytes, times in milliseconds. */
export interface PeerLimits extends FrameLimits {
  /** Lookups in one request. Defaults to 128, at most `maxLookups`, which should be the same on all nodes. */
  readonly maxLookupsSent: number;
  /** Lookups that may wait to be sent to one peer; more fail with `OVERLOADED`. Defaults to 16,384. */
  readonly maxQueued: number;
  /** Requests from peers under way at once; more are refused with `OVERLOADED`. Defaults to 4,096. */
  readonly maxRequests: number;
  /** How far apart the clocks of two nodes may be when requests are signed. Defaults to 30,000. */
  readonly maxClockSkewMs: number;
}

/** Options of every transport. */
export interface PeerOptions<Warning, Limits extends PeerLimits = PeerLimits> {
  /** `"groupcache"` for a ring shared with nodes of Go's groupcache. Defaults to `"slots"`. The same on every node. */
  readonly placement?: PlacementName;
  /** Signs requests, and refuses unsigned ones. At least 16 characters; of several the first signs and all are accepted. */
  readonly secret?: string | readonly string[] | undefined;
  /** Serves anyone who can connect, unless a secret or certificates say otherwise. */
  readonly insecure?: true;
  readonly limits?: Partial<Limits>;
  /** When a peer counts as down, and how it is tried again. */
  readonly health?: Partial<PeerHealthOptions>;
  /** How long `close` waits for requests under way. Defaults to 5,000. */
  readonly closeTimeoutMs?: number;
  /** For tests; defaults to the process's monotonic clock. */
  readonly clock?: Clock;
  /** Numbers from 0 up to 1, for jitter. For tests; defaults to `Math.random`. */
  readonly random?: () => number;
  readonly onWarning?: (warning: Warning) => void;
}

/** {@link PeerOptions}, each with its value. */
export interface ResolvedPeerOptions<Warning> {
  readonly placement: PlacementName;
  readonly secrets: readonly string[];
  readonly insecure: boolean;
  readonly health: PeerHealthOptions;
  readonly closeTimeoutMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onWarning: (warning: Warning) => void;
  /** Random integer below 2^53 that names this node since its start, in frames and messages. */
  readonly sender: number;
}

const hourMs = 3_600_000;

/** Checks and completes all common options but `limits`. Throws `INVALID_ARGUMENT` naming the field and its range. */
export function resolvePeerOptions<Warning, Limits extends PeerLimits>(
  options: PeerOptions<Warning, Limits>,
): ResolvedPeerOptions<Warning> {
  if (typeof options !== "object" || options === null) {
    throw invalidArgument(`the options must be an object, got ${describe(options)}`);
  }
  return {
    placement: choiceOption("placement", {
      given: options.placement,
      choices: ["slots", "groupcache"],
    }),
    secrets: secretsOption(options.secret),
    insecure: flagOption("insecure", options.insecure),
    health: resolvePeerHealth(options.health ?? {}),
    closeTimeoutMs: rangeOption("closeTimeoutMs", options.closeTimeoutMs, [5000, 0, hourMs]),
    clock: options.clock ?? createSystemClock(),
    random: options.random ?? Math.random,
    onWarning: guarded(options.onWarning),
    // Not from `random`: two nodes with the same seed must still tell each other apart.
    sender: randomBytes(6).readUIntBE(0, 6) + 1,
  };
}

/** Checks and completes the limits that all transports have. Throws `INVALID_ARGUMENT` naming the field and its range. */
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

/** A switch that has to be spelled out: true or absent. Throws `INVALID_ARGUMENT` for anything else. */
export function flagOption(name: string, given: true | undefined): boolean {
  if (given !== undefined && given !== true) {
    throw invalidArgument(`${name} must be true or left out, got ${describe(given)}`);
  }
  return given === true;
}

/** An exception of the user's callback must not reach the loops that report. */
function guarded<Warning>(
  onWarning: ((warning: Warning) => void) | undefined,
): (warning: Warning) => void {
  return (warning) => {
    try {
      onWarning?.(warning);
    } catch {
      // The callback's own affair.
    }
  };
}
