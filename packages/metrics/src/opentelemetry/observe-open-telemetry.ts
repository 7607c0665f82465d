import {
  type Attributes,
  type BatchObservableCallback,
  type Meter,
  type MetricOptions,
  type Observable,
  ValueType,
} from "@opentelemetry/api";
import { ParsecError } from "@parsec/core";
import { describe } from "@parsec/core/authoring";
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
  /** Such as `metrics.getMeter("my-service")`. */
  readonly meter: Meter;
  /** What every observation carries beside `group.name` and `cache.type`. Defaults to none. */
  readonly attributes?: Attributes;
}

/** What {@link observeOpenTelemetry} told a meter. */
export interface OpenTelemetryObserver {
  /** Reads nothing any more; readers may repeat what they saw last. Closing twice is fine. */
  close(): void;
}

/**
 * Reports the counters of every group, also of those registered later, whenever the meter's readers
 * collect. Nothing is counted twice: each collection reads `stats()` once. Two nodes on one meter
 * need `attributes` that tell them apart. Throws `INVALID_ARGUMENT`.
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
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `meter must be a meter of OpenTelemetry, got ${describe(meter)}`,
    );
  }
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
