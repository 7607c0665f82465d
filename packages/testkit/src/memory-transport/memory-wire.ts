import type { Clock, PeerHost } from "@parsec/core";
import type { Placement } from "@parsec/core/transport";

/** One message between nodes of a memory network, the input of `fate`. */
export interface MemoryMessage {
  readonly kind: "lookup" | "invalidate" | "handOver" | "contact" | "answer" | "cancel";
  readonly from: string;
  readonly to: string;
  readonly group: string;
}

/** Delivery of one message of a memory network. An empty object delivers it at once. */
export interface MessageFate {
  /** Delay in ms. Defaults to 0: delivery in a later microtask of the same turn. */
  readonly delayMs?: number;
  /** Whether the message is lost. Defaults to false. */
  readonly lost?: boolean;
  /** Whether the message arrives unreadable. Defaults to false. */
  readonly garbled?: boolean;
  /** Delays in ms of further copies, each from the time of sending. Defaults to none. */
  readonly againAfterMs?: readonly number[];
}

/** A current or former node of a memory network. A restarted node is a new one with the same id. */
export interface MemoryNode {
  readonly id: string;
  host: PeerHost | undefined;
  up: boolean;
  /** Ends each call that this node has in flight; when `noticed`, the other node sees the connection end. */
  readonly calling: Set<(noticed: boolean) => void>;
  /** Reports a broken connection for each call that this node has not answered yet. */
  readonly serving: Set<() => void>;
}

/** The part of the network that calls use. */
export interface MemoryWire {
  readonly clock: Clock;
  readonly maxKeyBytes: number;
  readonly maxValueBytes: number;
  place(ids: readonly string[]): Placement;
  /** The latest node with the id, up or down. */
  node(id: string): MemoryNode | undefined;
  /** Returns false when the link is cut in a way that the sender notices. */
  send(message: MemoryMessage, arrive: (garbled: boolean) => void): boolean;
}
