import { createServer } from "node:http";
import type { Peer, PeerPicker } from "@parsec/core";
import { createGrpcPeers } from "@parsec/transport-grpc";
import { createHttpPeers } from "@parsec/transport-http";
import { createNatsPeers } from "@parsec/transport-nats";
import { clusterSecret, type NodeTransport } from "./node-settings.ts";

/** The peers of a node, opened as in the README of the transport. */
export interface OpenPeers {
  readonly peers: PeerPicker;
  /** Whether the circuit breaker of a peer is open. */
  readonly isDown: (peer: Peer) => boolean;
  /** Starts to serve peers; call it after the registry was created. */
  join(): Promise<void>;
  /** Closes the server of the application, after its registry. */
  afterClose(): void;
}

export function openPeers(transport: NodeTransport): OpenPeers {
  // Peers and not ids: a member that is added again starts with a closed circuit breaker.
  const downPeers = new Set<Peer>();
  const isDown = (peer: Peer): boolean => downPeers.has(peer);
  const onWarning = ({
    kind,
    peerId,
  }: {
    readonly kind: string;
    readonly peerId: string;
  }): void => {
    const peer = opened.peers.peers().find(({ id }) => id === peerId);
    if (peer === undefined) return;
    if (kind === "peer-down") downPeers.add(peer);
    if (kind === "peer-up") downPeers.delete(peer);
  };
  const opened = open(transport, onWarning);
  return { ...opened, isDown };
}

function open(
  transport: NodeTransport,
  onWarning: (warning: { readonly kind: string; readonly peerId: string }) => void,
): Omit<OpenPeers, "isDown"> {
  const shared = { secret: clusterSecret, onWarning };
  if (transport.kind === "nats") {
    const { nodeId, cluster, server } = transport;
    const peers = createNatsPeers({ ...shared, nodeId, cluster, servers: server });
    return { peers, join: () => peers.ready(), afterClose: () => {} };
  }
  const { selfUrl, peerUrls } = transport;
  if (transport.kind === "grpc") {
    const peers = createGrpcPeers({ ...shared, selfUrl, peerUrls });
    const join = async (): Promise<void> => void (await peers.listen());
    return { peers, join, afterClose: () => {} };
  }
  const peers = createHttpPeers({ ...shared, selfUrl, peerUrls });
  const server = createServer(peers.handler);
  const { hostname, port } = new URL(selfUrl);
  return {
    peers,
    join: () =>
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(Number(port), hostname, resolve);
      }),
    afterClose: () => void server.close(),
  };
}
