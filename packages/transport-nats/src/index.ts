export type {
  NatsConnectionOptions,
  NatsKvMembership,
  NatsLimits,
  NatsPeersOptions,
  NatsPeersWarning,
} from "./nats-options.ts";
export type { NatsPeers, NatsPeersStats } from "./nats-peers.ts";
export { createNatsPeers } from "./nats-peers.ts";
