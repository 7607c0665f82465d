// For tests of code that uses Parsec.

// For authors of stores that keep copies.
export type { OwnershipViolation, ServiceRecord } from "./check-single-owner.ts";
export { checkSingleOwner } from "./check-single-owner.ts";
// For authors of transports.
export type { ContractCluster, ContractLimits } from "./contract-case.ts";
export type {
  DiscoveryContractOptions,
  DiscoveryNode,
  DiscoveryNodeOptions,
} from "./discovery-contract.ts";
export { describeDiscovery } from "./discovery-contract.ts";
export type { DnsFault, DnsServer } from "./dns-server.ts";
export { startDnsServer } from "./dns-server.ts";
export type { DnsQuestion, DnsRecords } from "./dns-wire.ts";
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
} from "./memory-transport.ts";
export { createMemoryNetwork } from "./memory-transport.ts";
export type { MemoryMessage, MessageFate } from "./memory-wire.ts";
export type { PeerContractOptions, SkippedContractCase } from "./peer-contract.ts";
export { describePeerContract } from "./peer-contract.ts";
// For those who work on the cache itself.
export type { RunSimulationOptions } from "./run-simulation.ts";
export { runSimulation } from "./run-simulation.ts";
export type { LookupScript, ScriptedHost } from "./scripted-host.ts";
export { createScriptedHost } from "./scripted-host.ts";
export { createSeededRandom } from "./seeded-random.ts";
export { settlePromises } from "./settle-promises.ts";
export { calmPlans, rollingPlans, stormyPlans } from "./simulation-arbitrary.ts";
export type { CampaignFailure, CampaignOptions, CampaignReport } from "./simulation-campaign.ts";
export { runCampaign } from "./simulation-campaign.ts";
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
} from "./simulation-history.ts";
export { checkHistory } from "./simulation-model.ts";
export type {
  SimulatedNetworkPlan,
  SimulatedOriginPlan,
  SimulatedPolicy,
  SimulationCommand,
  SimulationPlan,
} from "./simulation-plan.ts";
export type { SimulationSuiteOptions } from "./simulation-suite.ts";
export { describeSimulation } from "./simulation-suite.ts";
