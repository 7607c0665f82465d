// For tests of code that uses Parsec.

// For authors of transports.
export type { BlackHoleProxy } from "./black-hole-proxy.ts";
export { startBlackHoleProxy } from "./black-hole-proxy.ts";
// For authors of stores that keep replicas.
export type { OwnershipViolation, ServiceRecord } from "./check-single-owner.ts";
export { checkSingleOwner } from "./check-single-owner.ts";
export type { ClusterContractOptions, RunningCluster } from "./contracts/cluster-contract.ts";
export { describeCluster } from "./contracts/cluster-contract.ts";
export type { ContractCluster, ContractLimits } from "./contracts/contract-case.ts";
export type {
  DiscoveryContractOptions,
  DiscoveryNode,
  DiscoveryNodeOptions,
} from "./contracts/discovery-contract.ts";
export { describeDiscovery } from "./contracts/discovery-contract.ts";
export type { PeerContractOptions, SkippedContractCase } from "./contracts/peer-contract.ts";
export { describePeerContract } from "./contracts/peer-contract.ts";
export type { LookupScript, ScriptedHost } from "./contracts/scripted-host.ts";
export { createScriptedHost } from "./contracts/scripted-host.ts";
export type { DnsFault, DnsServer } from "./dns/dns-server.ts";
export { startDnsServer } from "./dns/dns-server.ts";
export type { DnsQuestion, DnsRecords } from "./dns/dns-wire.ts";
export type {
  FaultPlan,
  FaultyCall,
  FaultyPeerOptions,
  PeerFault,
} from "./faulty-peer.ts";
export { createFaultyPeer, createFaultyPicker } from "./faulty-peer.ts";
export type {
  LinearizabilityOptions,
  LinearizabilityReport,
} from "./linearizability/check-linearizable.ts";
export { checkLinearizable } from "./linearizability/check-linearizable.ts";
export type { LinearizabilityViolation } from "./linearizability/explain-violation.ts";
export type { LinearizabilityVerdict } from "./linearizability/linearization-search.ts";
export type {
  DeleteOperation,
  GetOperation,
  RecordedInterval,
  RegisterOperation,
  SetOperation,
} from "./linearizability/register-operation.ts";
export type { ManualClock } from "./manual-clock.ts";
export { createManualClock } from "./manual-clock.ts";
export type {
  FailureMode,
  MemoryNetwork,
  MemoryNetworkOptions,
  MemoryPeersOptions,
} from "./memory-transport/memory-transport.ts";
export { createMemoryNetwork } from "./memory-transport/memory-transport.ts";
export type { MemoryMessage, MessageFate } from "./memory-transport/memory-wire.ts";
export { createSeededRandom } from "./seeded-random.ts";
export { settlePromises } from "./settle-promises.ts";
export type {
  AbandonmentRecord,
  AccountRecord,
  AppliedRecord,
  FetchRecord,
  GetRecord,
  InvalidationRecord,
  InvariantName,
  Moment,
  QuestionRecord,
  ServedRecord,
  SimulatedOutcome,
  SimulationHistory,
  UnrestRecord,
  Violation,
} from "./simulation/history/simulation-history.ts";
export { checkHistory } from "./simulation/invariants/check-history.ts";
export { calmPlans, rollingPlans, stormyPlans } from "./simulation/plan/simulation-arbitrary.ts";
export type {
  SimulatedNetworkPlan,
  SimulatedOriginPlan,
  SimulatedPolicy,
  SimulationCommand,
  SimulationPlan,
} from "./simulation/plan/simulation-plan.ts";
// For work on the cache itself.
export type { RunSimulationOptions } from "./simulation/run-simulation.ts";
export { runSimulation } from "./simulation/run-simulation.ts";
export type {
  CampaignFailure,
  CampaignOptions,
  CampaignReport,
} from "./simulation/simulation-campaign.ts";
export { runCampaign } from "./simulation/simulation-campaign.ts";
export type { SimulationSuiteOptions } from "./simulation/simulation-suite.ts";
export { describeSimulation } from "./simulation/simulation-suite.ts";
