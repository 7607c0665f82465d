// biome-ignore-all lint/performance/noBarrelFile: the entry of a subpath export
export type { MeasuredNode } from "../measured-node.ts";
export type {
  OpenTelemetryObserver,
  OpenTelemetryOptions,
} from "./observe-open-telemetry.ts";
export { observeOpenTelemetry } from "./observe-open-telemetry.ts";
export type { TracePeersOptions } from "./trace-peers.ts";
export { tracePeers } from "./trace-peers.ts";
