export type { SharedServer, StartServer } from "./describe-on-servers.ts";
export {
  describeOnOneServer,
  describeOnServers,
  describeWithOneProgram,
  describeWithPrograms,
} from "./describe-on-servers.ts";
export type { KnownServer } from "./known-servers.ts";
export { newestNats, systemNats } from "./known-servers.ts";
export { startNatsCluster } from "./nats-cluster.ts";
export type { NatsServer } from "./nats-server.ts";
export { startNatsServer } from "./nats-server.ts";
export type { TcpProxy } from "./tcp-proxy.ts";
export { startTcpProxy } from "./tcp-proxy.ts";
