import type { CachePolicy } from "@parsec/core";

/** Transport of a node, and its addresses. */
export type NodeTransport =
  | { readonly kind: "http" | "grpc"; readonly selfUrl: string; readonly peerUrls: string[] }
  | {
      readonly kind: "nats";
      readonly nodeId: string;
      readonly cluster: string;
      readonly server: string;
    };

/** Settings of the node program. */
export interface NodeSettings {
  readonly transport: NodeTransport;
  readonly originUrl: string;
  readonly policy: CachePolicy;
  /** Ports of this machine, each with the port to connect to in its place, such as a proxy's. */
  readonly routes: Readonly<Record<number, number>>;
}

/** Shared secret of all nodes, so that they require signatures as a real cluster does. */
export const clusterSecret = "a secret of the scenarios";
