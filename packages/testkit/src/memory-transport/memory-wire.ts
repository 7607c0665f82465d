import type { Clock, PeerHost } from "@parsec/core";
import type { Placement } from "@parsec/core/transport";

/** What a {@link MessageFate} is decided for. */
export interface MemoryMessage {
  readonly kind: "lookup" | "invalidate" | "handOver" | "answer" | "cancel";
  readonly from: string;
  readonly to: string;
  readonly group: string;
}

/** What becomes of one message. An empty object means: it arrives at once. */
export interface MessageFate {
  /** How long it is under way. Defaults to 0: it arrives in a later microtask of the same turn. */
  readonly delayMs?: number;
  /** It never arrives. Defaults to false. */
  readonly lost?: boolean;
  /** It arrives, but nobody can read it. Defaults to false. */
  readonly garbled?: boolean;
  /** It arrives again this long after it was sent, once per number. Defaults to none. */
  readonly againAfterMs?: readonly number[];
}

/** One node that is, or was, part of a memory network. A restarted node is a new one with the old id. */
export interface MemoryNode {
  readonly id: string;
  host: PeerHost | undefined;
  up: boolean;
  /** Ends each call this node has under way; when `noticed`, the one asked sees the connection end. */
  readonly calling: Set<(noticed: boolean) => void>;
  /** Tells each asker this node has yet to answer that the connection broke. */
  readonly serving: Set<() => void>;
}

/** What calls need of the network; kept apart from what a test needs of it. */
export interface MemoryWire {
  readonly clock: Clock;
  readonly maxKeyBytes: number;
  readonly maxValueBytes: number;
  place(ids: readonly string[]): Placement;
  /** The node that has the id now, up or down. */
  node(id: string): MemoryNode | undefined;
  /** False when the link is known to be cut: the sender notices. */
  send(message: MemoryMessage, arrive: (garbled: boolean) => void): boolean;
}
