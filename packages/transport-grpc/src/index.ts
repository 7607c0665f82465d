export type {
  GrpcConnectionOptions,
  GrpcLimits,
  GrpcPeersOptions,
  GrpcPeersWarning,
  GrpcTlsOptions,
} from "./grpc-options.ts";
export type { GrpcPeers } from "./grpc-peers.ts";
export { createGrpcPeers } from "./grpc-peers.ts";
export type { GrpcAddress } from "./server/grpc-server.ts";
