import type { CachePolicy } from "@parsec/core";

/** How a node of a scenario reaches the others. */
export type NodeTransport =
  | { readonly kind: "http" | "grpc"; readonly selfUrl: string; readonly peerUrls: string[] }
  | {
      readonly kind: "nats";
      readonly nodeId: string;
      readonly cluster: string;
      readonly server: string;
    };

/** All that the program of a node is told. */
export interface NodeSettings {
  readonly transport: NodeTransport;
  readonly originUrl: string;
  readonly policy: CachePolicy;
  /** Ports of this machine that are reached by way of another one, such as a proxy's. */
  readonly routes: Readonly<Record<number, number>>;
}

/** What all nodes of the scenarios share, so that they demand signatures as a real cluster does. */
export const clusterSecret = "a secret of the scenarios";
