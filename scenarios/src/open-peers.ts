import { createServer } from "node:http";
import type { PeerPicker } from "@parsec/core";
import { createGrpcPeers } from "@parsec/transport-grpc";
import { createHttpPeers } from "@parsec/transport-http";
import { createNatsPeers } from "@parsec/transport-nats";
import { clusterSecret, type NodeTransport } from "./node-settings.ts";

/** The peers of a node, as an application opens them: in the way the README of each transport shows. */
export interface OpenPeers {
  readonly peers: PeerPicker;
  /** Ids of the peers that are left out at the moment. */
  readonly leftOut: Set<string>;
  /** Begins to answer; to be called once the peers were given to a registry. */
  join(): Promise<void>;
  /** What the application itself has to close, after its registry. */
  afterClose(): void;
}

export function openPeers(transport: NodeTransport): OpenPeers {
  const leftOut = new Set<string>();
  const onWarning = (warning: { readonly kind: string; readonly peerId: string }): void => {
    if (warning.kind === "peer-left-out") leftOut.add(warning.peerId);
    if (warning.kind === "peer-taken-back") leftOut.delete(warning.peerId);
  };
  const shared = { secret: clusterSecret, onWarning };
  if (transport.kind === "nats") {
    const { nodeId, cluster, server } = transport;
    const peers = createNatsPeers({ ...shared, nodeId, cluster, servers: server });
    return { peers, leftOut, join: () => peers.ready(), afterClose: () => {} };
  }
  const { selfUrl, peerUrls } = transport;
  if (transport.kind === "grpc") {
    const peers = createGrpcPeers({ ...shared, selfUrl, peerUrls });
    const join = async (): Promise<void> => void (await peers.listen());
    return { peers, leftOut, join, afterClose: () => {} };
  }
  const peers = createHttpPeers({ ...shared, selfUrl, peerUrls });
  const server = createServer(peers.handler);
  const { hostname, port } = new URL(selfUrl);
  return {
    peers,
    leftOut,
    join: () =>
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(Number(port), hostname, resolve);
      }),
    afterClose: () => void server.close(),
  };
}
