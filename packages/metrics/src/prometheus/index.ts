// biome-ignore-all lint/performance/noBarrelFile: the entry of a subpath export
export type { MeasuredNode } from "../measured-node.ts";
export type { PrometheusCollector } from "./collect-prometheus.ts";
export { collectPrometheus } from "./collect-prometheus.ts";
export type { PrometheusOptions, PrometheusRegister } from "./prometheus-options.ts";
export { seedMetrics } from "./seed-metrics.ts";
