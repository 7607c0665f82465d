import type { DataSourceRegistry } from "@parsec/core";
import { collectPrometheus } from "@parsec/metrics/prometheus";
import type { ExchangeEvent } from "@parsec/tokens";
import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";

/** The metrics of a node. */
export interface PrometheusMetrics {
  readonly contentType: string;
  countExchange(event: ExchangeEvent): void;
  /** Renders the text of `/metrics`. */
  render(): Promise<string>;
}

/** Creates a Prometheus registry with the metrics of the cache, the exchanges and the process. */
export function createPrometheusMetrics(sources: DataSourceRegistry): PrometheusMetrics {
  const register = new Registry();
  collectDefaultMetrics({ register });
  collectPrometheus(sources, { register });
  const exchanges = new Counter({
    name: "parsec_exchanges_total",
    help: "Token exchanges by outcome",
    labelNames: ["outcome"],
    registers: [register],
  });
  const durations = new Histogram({
    name: "parsec_exchange_duration_seconds",
    help: "Duration of token exchanges",
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [register],
  });

  return {
    contentType: register.contentType,
    countExchange({ outcome, durationMs }) {
      exchanges.inc({ outcome });
      durations.observe(durationMs / 1000);
    },
    render: () => register.metrics(),
  };
}
