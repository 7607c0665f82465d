import { channel } from "node:diagnostics_channel";
import type { ParsecErrorCode } from "./errors.ts";
import type { PeerInvalidationTarget } from "./peer.ts";

/**
 * What Parsec publishes on `node:diagnostics_channel`, by the name of the channel. No event holds a value, an input,
 * a secret or the message of an error; keys and tags are as your application gives them. Times in milliseconds.
 */
export interface TelemetryEvents {
  /** A fetch from the origin began on this node, or ended. Ends as often as `localLoads` and `localLoadErrs` count. */
  "parsec:fetch": {
    readonly nodeId: string;
    readonly group: string;
    readonly key: string;
  } & (
    | { readonly phase: "start" }
    | {
        readonly phase: "end";
        readonly outcome: "found" | "absent" | "failed";
        /** Why it failed, also when a stale value was served instead. */
        readonly errorCode: ParsecErrorCode | undefined;
        readonly durationMs: number;
      }
  );
  /** This node asked the owner of a key, or the fallback owner, and has its answer. */
  "parsec:peer-lookup": {
    readonly nodeId: string;
    readonly group: string;
    readonly key: string;
    /** The node that was asked. */
    readonly peerId: string;
    /** Whether it was asked in place of an owner that is unreachable. */
    readonly isFallbackOwner: boolean;
    readonly outcome: "found" | "absent" | "failed";
    readonly errorCode: ParsecErrorCode | undefined;
    readonly durationMs: number;
  };
  /** An invalidation that this node sent to all members is over. */
  "parsec:invalidation": {
    readonly nodeId: string;
    readonly group: string;
    readonly target: PeerInvalidationTarget;
    /** True when it was sent once more, after a late acknowledgement or because a member left without one. */
    readonly isRepetition: boolean;
    /** The nodes that applied it, this one first. */
    readonly acknowledged: readonly string[];
    /** The members that did not acknowledge; the retry queue sends it to them again. */
    readonly failed: readonly { readonly peerId: string; readonly errorCode: ParsecErrorCode }[];
    readonly durationMs: number;
  };
  /** The circuit breaker for a peer opened (`down`) or closed (`up`). */
  "parsec:peer-health": {
    readonly nodeId: string;
    readonly peerId: string;
    readonly state: "down" | "up";
    /** Why it opened. */
    readonly errorCode: ParsecErrorCode | undefined;
  };
  /** The members changed, as this node sees them. */
  "parsec:members": {
    readonly nodeId: string;
    /** All of them, this node included. */
    readonly members: readonly string[];
    readonly joined: readonly string[];
    readonly left: readonly string[];
  };
  /** This node, which is closing, began to hand its entries over to their successors, or is done. */
  "parsec:hand-over": {
    readonly nodeId: string;
    /** How many nodes get entries. */
    readonly successors: number;
    /** How many keys this node owns that have a successor, in all groups. */
    readonly keys: number;
  } & (
    | { readonly phase: "start" }
    | {
        readonly phase: "end";
        /** How many entries were sent to peers that acknowledged them. */
        readonly handedOver: number;
        readonly durationMs: number;
      }
  );
}

/** A channel of `node:diagnostics_channel` with the type of its events. */
export interface TelemetryChannel<Event> {
  /** Ask before an event is made: without subscribers nothing must be paid. */
  readonly hasSubscribers: boolean;
  /** A subscriber that throws does not harm the caller: Node raises `uncaughtException` in a later turn. */
  publish(event: Event): void;
}

/** The channel of this name, the same for all copies of this package in the process. */
export function telemetryChannel<Name extends keyof TelemetryEvents>(
  name: Name,
): TelemetryChannel<TelemetryEvents[Name]> {
  return channel(name);
}
