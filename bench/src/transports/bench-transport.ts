import type { PeerPicker } from "@parsec/core";

/** A node of a cluster: what it and all others are called. */
export interface NodePlace {
  readonly id: string;
  readonly members: readonly string[];
  /** Where the NATS server is; "" for transports that need none. */
  readonly natsUrl: string;
}

/** The transport itself, without Parsec: a small question, answered with 256 bytes. */
export interface BareConnection {
  get(key: string): Promise<unknown>;
  close(): Promise<unknown>;
}

/** All that the suites have to know of a transport. */
export interface BenchTransport {
  readonly needsNats: boolean;
  /** What a bare echo is made of. */
  readonly bareName: string;
  /** Names a node to be; `serial` tells the nodes of a cluster apart. */
  newId(serial: number): Promise<string>;
  /** The peers of a node, which answers as soon as this resolves. */
  connect(place: NodePlace): Promise<PeerPicker>;
  /** Serves the bare echo and resolves with where it is. */
  serveBare(value: Buffer, natsUrl: string): Promise<string>;
  connectBare(target: string): Promise<BareConnection>;
}

export type TransportName = "HTTP" | "gRPC" | "NATS";
