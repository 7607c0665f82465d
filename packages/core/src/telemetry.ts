import { channel } from "node:diagnostics_channel";
import type { ParsecErrorCode } from "./errors.ts";
import type { PeerInvalidationTarget } from "./peer.ts";

/**
 * The events that Parsec publishes on `node:diagnostics_channel`, by channel name. No event contains a value, an
 * input, a secret or an error message; keys and tags appear unchanged. Times in milliseconds.
 */
export interface TelemetryEvents {
  /** An origin fetch on this node started or ended. The number of ends is `localLoads` + `localLoadErrs`. */
  "parsec:fetch": {
    readonly nodeId: string;
    readonly group: string;
    readonly key: string;
  } & (
    | { readonly phase: "start" }
    | {
        readonly phase: "end";
        readonly outcome: "found" | "absent" | "failed";
        /** The error of a failed fetch, also when a stale value was served instead. */
        readonly errorCode: ParsecErrorCode | undefined;
        readonly durationMs: number;
      }
  );
  /** A lookup of this node at the owner of a key, or at the fallback owner, ended. */
  "parsec:peer-lookup": {
    readonly nodeId: string;
    readonly group: string;
    readonly key: string;
    /** The node that got the lookup. */
    readonly peerId: string;
    /** Whether that node is the fallback owner of an unreachable owner. */
    readonly isFallbackOwner: boolean;
    readonly outcome: "found" | "absent" | "failed";
    readonly errorCode: ParsecErrorCode | undefined;
    readonly durationMs: number;
  };
  /** An invalidation that this node sent to all members ended. */
  "parsec:invalidation": {
    readonly nodeId: string;
    readonly group: string;
    readonly target: PeerInvalidationTarget;
    /** True for a repetition, after a late acknowledgement or because a member left without one. */
    readonly isRepetition: boolean;
    /** The nodes that applied it, this node first. */
    readonly acknowledged: readonly string[];
    /** The members that did not acknowledge and get retries. */
    readonly failed: readonly { readonly peerId: string; readonly errorCode: ParsecErrorCode }[];
    readonly durationMs: number;
  };
  /** The circuit breaker of a group's origin on this node opened or closed. */
  "parsec:origin-breaker": {
    readonly nodeId: string;
    readonly group: string;
    readonly state: "open" | "closed";
    /** The error that opened the circuit; undefined when it closed. */
    readonly errorCode: ParsecErrorCode | undefined;
  };
  /** The circuit breaker for a peer opened (`down`) or closed (`up`). */
  "parsec:peer-health": {
    readonly nodeId: string;
    readonly peerId: string;
    readonly state: "down" | "up";
    /** The error that opened the circuit; undefined when it closed. */
    readonly errorCode: ParsecErrorCode | undefined;
  };
  /** The members changed, as this node sees them. */
  "parsec:members": {
    readonly nodeId: string;
    /** All members, this node included. */
    readonly members: readonly string[];
    readonly joined: readonly string[];
    readonly left: readonly string[];
  };
  /** The hand-over of this closing node to its successors started or ended. */
  "parsec:hand-over": {
    readonly nodeId: string;
    /** Number of nodes that get entries. */
    readonly successors: number;
    /** Number of owned keys with a successor, in all groups. */
    readonly keys: number;
  } & (
    | { readonly phase: "start" }
    | {
        readonly phase: "end";
        /** Number of entries that peers acknowledged. */
        readonly handedOver: number;
        readonly durationMs: number;
      }
  );
  /** This node was cut off and dropped its caches: it may have missed invalidations that no peer will deliver. */
  "parsec:rejoined": {
    readonly nodeId: string;
    /** The peer that may have owed this node invalidations. */
    readonly peerId: string;
    /** What that peer did meanwhile. */
    readonly reason: "restarted" | "forgot" | "removed";
  };
  /** This node left although peers had not applied its invalidations, and no other member could be asked to retry them. */
  "parsec:undelivered-invalidations": {
    readonly nodeId: string;
    readonly undelivered: readonly { readonly peerId: string; readonly count: number }[];
  };
}

/** A channel of `node:diagnostics_channel` with the type of its events. */
export interface TelemetryChannel<Event> {
  /** Check it before creating an event, so that events without subscribers cost nothing. */
  readonly hasSubscribers: boolean;
  /** An exception of a subscriber does not reach the caller: Node raises `uncaughtException` in a later turn. */
  publish(event: Event): void;
}

/** The channel of this name, the same for all copies of this package in the process. */
export function telemetryChannel<Name extends keyof TelemetryEvents>(
  name: Name,
): TelemetryChannel<TelemetryEvents[Name]> {
  return channel(name);
}
