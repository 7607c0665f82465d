import {
  type Attributes,
  type BatchObservableCallback,
  type Meter,
  type MetricOptions,
  type Observable,
  ValueType,
} from "@opentelemetry/api";
import { describe, invalidArgument, knownOptions } from "@parsec/core/authoring";
import { checkMeasuredNode, type MeasuredNode, readGroups } from "../measured-node.ts";
import {
  type CacheMetric,
  cacheMetrics,
  cacheTypes,
  type GroupMetric,
  groupMetrics,
} from "../metric-catalog.ts";

/** Options of `observeOpenTelemetry`. */
export interface OpenTelemetryOptions {
  /** The meter, such as `metrics.getMeter("my-service")`. */
  readonly meter: Meter;
  /** Attributes of every observation, in addition to `group.name` and `cache.type`. Defaults to none. */
  readonly attributes?: Attributes;
}

/** The metrics added by {@link observeOpenTelemetry}. */
export interface OpenTelemetryObserver {
  /** Stops the observations; readers may repeat the last values. Idempotent. */
  close(): void;
}

/**
 * Adds observable counters for all groups, including groups registered later, to an OpenTelemetry meter.
 * Each collection reads `stats()` once, so its numbers are consistent. Two nodes on one meter need
 * different `attributes`. Throws `INVALID_ARGUMENT` for invalid arguments.
 */
export function observeOpenTelemetry(
  node: MeasuredNode,
  options: OpenTelemetryOptions,
): OpenTelemetryObserver {
  checkMeasuredNode(node);
  const { meter, attributes } = resolveOpenTelemetryOptions(options);
  const groups = groupMetrics.map((metric) => ({
    metric,
    instrument: createInstrument(meter, "groupcache.group.", metric),
  }));
  const caches = cacheMetrics.map((metric) => ({
    metric,
    instrument: createInstrument(meter, "groupcache.cache.", metric),
  }));
  const observe: BatchObservableCallback = (result) => {
    for (const { group, stats } of readGroups(node)) {
      const ofGroup = { ...attributes, "group.name": group };
      for (const { metric, instrument } of groups) {
        result.observe(instrument, stats[metric.field], ofGroup);
      }
      for (const type of cacheTypes) {
        const ofCache = { ...ofGroup, "cache.type": type };
        for (const { metric, instrument } of caches) {
          result.observe(instrument, metric.read(stats, type), ofCache);
        }
      }
    }
  };
  const instruments = [...groups, ...caches].map(({ instrument }) => instrument);
  meter.addBatchObservableCallback(observe, instruments);
  return {
    close: () => meter.removeBatchObservableCallback(observe, instruments),
  };
}

function resolveOpenTelemetryOptions(
  options: OpenTelemetryOptions,
): Required<OpenTelemetryOptions> {
  const { meter, attributes = {} } = options ?? {};
  if (typeof meter?.addBatchObservableCallback !== "function") {
    throw invalidArgument(`meter must be an OpenTelemetry meter, got ${describe(meter)}`);
  }
  knownOptions("observeOpenTelemetry", options, { meter: 1, attributes: 1 });
  return { meter, attributes };
}

function createInstrument(
  meter: Meter,
  prefix: string,
  metric: GroupMetric | CacheMetric,
): Observable {
  const { openTelemetryName, kind, help, unit } = metric;
  const name = prefix + openTelemetryName;
  const options: MetricOptions = {
    description: help,
    valueType: ValueType.INT,
    ...(unit === undefined ? {} : { unit }),
  };
  return kind === "counter"
    ? meter.createObservableCounter(name, options)
    : meter.createObservableUpDownCounter(name, options);
}
