export type {
  HttpConnectionOptions,
  HttpLimits,
  HttpPeersOptions,
  HttpPeersWarning,
} from "./http-options.ts";
export type { HttpPeers } from "./http-peers.ts";
export { createHttpPeers } from "./http-peers.ts";
export type { Dialect } from "./http-wire.ts";
export type {
  HttpPeersHandler,
  HttpPeersRequest,
  HttpPeersResponse,
} from "./server/http-handler.ts";
