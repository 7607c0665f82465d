import type { DataSourceRegistry, GroupStats } from "@parsec/core";
import type { ExchangeEvent } from "@parsec/tokens";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** What `/metrics` shows. */
export interface PrometheusMetrics {
  readonly contentType: string;
  countExchange(event: ExchangeEvent): void;
  /** The exposition text. */
  render(): Promise<string>;
}

/** Counters of a group, under the names that exporters for Go's groupcache use. */
const groupCounters: readonly (readonly [string, keyof GroupStats, string])[] = [
  ["gets", "gets", "Requests, those of peers included"],
  ["hits", "cacheHits", "Requests answered from memory"],
  ["peer_loads", "peerLoads", "Values that came from their owner"],
  ["peer_errors", "peerErrors", "Questions to an owner that failed"],
  ["loads", "loads", "Requests that memory could not answer"],
  ["loads_deduped", "loadsDeduped", "Loads after those for one key were put together"],
  ["local_loads", "localLoads", "Fetches from the origin that ended well"],
  ["local_load_errs", "localLoadErrs", "Fetches from the origin that failed"],
  ["server_requests", "serverRequests", "Requests that came from peers"],
];

const cacheTypes = ["main", "hot"] as const;

/** Puts the counters of the cache, of the exchanges and of the process into one Prometheus registry. */
export function createPrometheusMetrics(sources: DataSourceRegistry): PrometheusMetrics {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const forEachGroup = (visit: (group: string, stats: GroupStats) => void): void => {
    for (const [name, stats] of Object.entries(sources.stats())) visit(`datasource:${name}`, stats);
  };

  for (const [name, field, help] of groupCounters) {
    const counter = new Counter({
      name: `groupcache_${name}_total`,
      help,
      labelNames: ["group"],
      registers: [register],
      collect() {
        counter.reset();
        forEachGroup((group, stats) => counter.inc({ group }, stats[field] as number));
      },
    });
  }
  for (const field of ["bytes", "items"] as const) {
    const gauge = new Gauge({
      name: `groupcache_cache_${field}`,
      help: field === "bytes" ? "Charged bytes in a cache" : "Values in a cache",
      labelNames: ["group", "type"],
      registers: [register],
      collect() {
        forEachGroup((group, stats) => {
          for (const type of cacheTypes) gauge.set({ group, type }, stats[type][field]);
        });
      },
    });
  }
  for (const field of ["hits", "evictions"] as const) {
    const counter = new Counter({
      name: `groupcache_cache_${field}_total`,
      help: field === "hits" ? "Hits in a cache" : "Values that left a cache for want of room",
      labelNames: ["group", "type"],
      registers: [register],
      collect() {
        counter.reset();
        forEachGroup((group, stats) => {
          for (const type of cacheTypes) counter.inc({ group, type }, stats[type][field]);
        });
      },
    });
  }
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
