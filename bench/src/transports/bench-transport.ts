import type { PeerPicker } from "@parsec/core";

/** The ids of a node and of all members of its cluster. */
export interface NodePlace {
  readonly id: string;
  readonly members: readonly string[];
  /** The URL of the NATS server; "" for transports that do not need one. */
  readonly natsUrl: string;
}

/** The transport's library without Parsec: a small request, answered with 256 bytes. */
export interface BareConnection {
  get(key: string): Promise<unknown>;
  close(): Promise<unknown>;
}

/** The part of a transport that the suites need. */
export interface BenchTransport {
  readonly needsNats: boolean;
  /** The name of the bare echo in the results. */
  readonly bareName: string;
  /** An id for a new node; `serial` differs between the nodes of a cluster. */
  newId(serial: number): Promise<string>;
  /** Resolves with the peers of a node once the node answers requests. */
  connect(place: NodePlace): Promise<PeerPicker>;
  /** Starts the bare echo and resolves with its address. */
  serveBare(value: Buffer, natsUrl: string): Promise<string>;
  connectBare(target: string): Promise<BareConnection>;
}

export type TransportName = "HTTP" | "gRPC" | "NATS";
