import { createGrpcPeers, type GrpcPeers, type GrpcPeersOptions } from "../src/index.ts";
import { freePorts } from "./free-ports.ts";

export interface NodesOptions extends Omit<GrpcPeersOptions, "selfUrl" | "peerUrls"> {
  /** Defaults to 3. */
  readonly count?: number;
  /** The part of a node's id before the port. Defaults to `grpc://127.0.0.1`. */
  readonly origin?: string;
}

export interface Nodes {
  readonly ids: readonly string[];
  readonly peers: readonly GrpcPeers[];
  close(): Promise<void>;
}

/** A cluster of nodes in this process, each listening on a free port. */
export async function startNodes(options: NodesOptions = {}): Promise<Nodes> {
  const { count = 3, origin = "grpc://127.0.0.1", ...rest } = options;
  const ports = await freePorts(count);
  const ids = ports.map((port) => `${origin}:${port}`);
  const peers = ids.map((selfUrl) => createGrpcPeers({ ...rest, selfUrl, peerUrls: ids }));
  await Promise.all(peers.map((node) => node.listen({ host: "127.0.0.1" })));
  return {
    ids,
    peers,
    async close() {
      await Promise.all(peers.map((node) => node.close()));
    },
  };
}
