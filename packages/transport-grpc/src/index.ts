export type {
  GrpcConnectionOptions,
  GrpcLimits,
  GrpcPeersOptions,
  GrpcPeersWarning,
} from "./grpc-options.ts";
export type { GrpcPeers } from "./grpc-peers.ts";
export { createGrpcPeers } from "./grpc-peers.ts";
export type { GrpcAddress } from "./server/grpc-server.ts";
