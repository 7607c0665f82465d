import { ParsecError } from "@parsec/core";
import { Counter, Gauge } from "prom-client";
import {
  checkMeasuredNode,
  type GroupReading,
  type MeasuredNode,
  readGroups,
} from "../measured-node.ts";
import { cacheMetrics, cacheTypes, groupMetrics } from "../metric-catalog.ts";
import {
  type PrometheusOptions,
  type PrometheusRegister,
  resolvePrometheusOptions,
} from "./prometheus-options.ts";

/** The metrics added by {@link collectPrometheus}. */
export interface PrometheusCollector {
  /** Removes its metrics from the register. Idempotent. */
  close(): void;
}

interface Sample {
  readonly labels: Record<string, string>;
  readonly value: number;
}

interface Series {
  readonly name: string;
  readonly help: string;
  readonly kind: "counter" | "level";
  readonly labelNames: readonly string[];
  samples(): readonly Sample[];
}

/**
 * Adds metrics for all groups, including groups registered later, to a register of prom-client. Each
 * scrape reads `stats()` once, so its numbers are consistent. Throws `DUPLICATE_NAME` when the register
 * already has a metric of the same name, and `INVALID_ARGUMENT` for invalid arguments.
 */
export function collectPrometheus(
  node: MeasuredNode,
  options: PrometheusOptions,
): PrometheusCollector {
  checkMeasuredNode(node);
  const { register, prefix, labels } = resolvePrometheusOptions(options);
  const series = seriesOf(oncePerTurn(node), { prefix: `${prefix}groupcache_`, labels });
  const taken = series.find(({ name }) => register.getSingleMetric(name) !== undefined);
  if (taken !== undefined) {
    throw new ParsecError(
      "DUPLICATE_NAME",
      `register already has a metric named ${taken.name}: close its collector, or set another prefix`,
    );
  }
  const added = series.map((one) => ({ name: one.name, metric: addMetric(register, one) }));
  return {
    close() {
      for (const { name, metric } of added) {
        if (register.getSingleMetric(name) === metric) register.removeSingleMetric(name);
      }
    },
  };
}

function seriesOf(
  read: () => readonly GroupReading[],
  naming: { readonly prefix: string; readonly labels: Readonly<Record<string, string>> },
): readonly Series[] {
  const { prefix, labels } = naming;
  const ownLabels = Object.keys(labels);
  return [
    ...groupMetrics.map(({ prometheusName, field, kind, help }) => ({
      name: prefix + prometheusName,
      kind,
      help,
      labelNames: ["group", ...ownLabels],
      samples: () =>
        read().map(({ group, stats }) => ({ labels: { group, ...labels }, value: stats[field] })),
    })),
    ...cacheMetrics.map(({ prometheusName, read: readCache, kind, help }) => ({
      name: prefix + prometheusName,
      kind,
      help,
      labelNames: ["group", "type", ...ownLabels],
      samples: () =>
        read().flatMap(({ group, stats }) =>
          cacheTypes.map((type) => ({
            labels: { group, type, ...labels },
            value: readCache(stats, type),
          })),
        ),
    })),
  ];
}

function addMetric(register: PrometheusRegister, series: Series): Counter | Gauge {
  const { name, help, kind, labelNames, samples } = series;
  const collect = (): void => {
    metric.reset();
    for (const { labels, value } of samples()) metric.inc(labels, value);
  };
  const configuration = { name, help, labelNames, registers: [register], collect };
  const metric = kind === "counter" ? new Counter(configuration) : new Gauge(configuration);
  return metric;
}

/** A scrape collects all metrics in one turn, so one reading per turn keeps their numbers consistent. */
function oncePerTurn(node: MeasuredNode): () => readonly GroupReading[] {
  let reading: readonly GroupReading[] | undefined;
  return () => {
    if (reading === undefined) {
      reading = readGroups(node);
      queueMicrotask(() => {
        reading = undefined;
      });
    }
    return reading;
  };
}
