export type {
  Coordinator,
  CoordinatorEntry,
  CoordinatorListener,
  CoordinatorWrite,
} from "./coordinator/coordinator.ts";
export { WriteConflict } from "./coordinator/coordinator.ts";
export type { MemoryHub, MemorySeat } from "./coordinator/memory-hub.ts";
export { createMemoryHub } from "./coordinator/memory-hub.ts";
export { createRing } from "./create-ring.ts";
export type { HandOverReport } from "./hand-over-report.ts";
export type { Delivery, Link, LinkHandler, LinkRequest } from "./link/link.ts";
export { LinkError } from "./link/link-error.ts";
export type { OwnHook, ReleaseHook } from "./ownership/hook-runner.ts";
export type { TermPhase } from "./ownership/owner-term.ts";
export { createRingPicker } from "./picker/ring-picker.ts";
export type { WriteAck } from "./replication/partition-log.ts";
export type { ApplyContext, PartitionState, Position } from "./replication/partition-state.ts";
export type { Ring, RingCallOptions, RingLeaveOptions, RingState } from "./ring.ts";
export type { RingEvent, RingListener } from "./ring-events.ts";
export type { RingNatsOptions, RingOptions } from "./ring-options.ts";
export type { RingHandler, RingRequest } from "./routing/owner-request-handler.ts";
