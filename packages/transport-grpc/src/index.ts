export type {
  GrpcConnectionOptions,
  GrpcHealthOptions,
  GrpcLimits,
  GrpcPeersOptions,
  GrpcPeersWarning,
  GrpcTlsOptions,
} from "./grpc-options.ts";
export type { GrpcPeers } from "./grpc-peers.ts";
export { createGrpcPeers } from "./grpc-peers.ts";
export type { GrpcAddress } from "./grpc-server.ts";
