import { createServer } from "node:http";
import type { Peer, PeerPicker } from "@parsec/core";
import { createGrpcPeers } from "@parsec/transport-grpc";
import { createHttpPeers } from "@parsec/transport-http";
import { createNatsPeers } from "@parsec/transport-nats";
import { clusterSecret, type NodeTransport } from "./node-settings.ts";

/** The peers of a node, as an application opens them: in the way the README of each transport shows. */
export interface OpenPeers {
  readonly peers: PeerPicker;
  /** Whether a peer is left out at the moment. */
  readonly isLeftOut: (peer: Peer) => boolean;
  /** Begins to answer; to be called once the peers were given to a registry. */
  join(): Promise<void>;
  /** What the application itself has to close, after its registry. */
  afterClose(): void;
}

export function openPeers(transport: NodeTransport): OpenPeers {
  // Not by their ids: who is a member again starts with a good name.
  const leftOut = new Set<Peer>();
  const isLeftOut = (peer: Peer): boolean => leftOut.has(peer);
  const onWarning = ({
    kind,
    peerId,
  }: {
    readonly kind: string;
    readonly peerId: string;
  }): void => {
    const peer = opened.peers.peers().find(({ id }) => id === peerId);
    if (peer === undefined) return;
    if (kind === "peer-down") leftOut.add(peer);
    if (kind === "peer-up") leftOut.delete(peer);
  };
  const opened = open(transport, onWarning);
  return { ...opened, isLeftOut };
}

function open(
  transport: NodeTransport,
  onWarning: (warning: { readonly kind: string; readonly peerId: string }) => void,
): Omit<OpenPeers, "isLeftOut"> {
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
