import { describe, invalidArgument, knownOptions } from "@parsec/core/authoring";
import type { OpenMetricsContentType, PrometheusContentType, Registry } from "prom-client";

/** A registry of prom-client, in Prometheus or OpenMetrics format. */
export type PrometheusRegister = Registry<PrometheusContentType> | Registry<OpenMetricsContentType>;

/** Options of `collectPrometheus`. */
export interface PrometheusOptions {
  /** The registry to add metrics to: prom-client's default `register`, or your own `Registry`. */
  readonly register: PrometheusRegister;
  /** Prefix of every metric name: `"shop_"` gives `shop_groupcache_gets_total`. Defaults to `""`. */
  readonly prefix?: string;
  /** Labels of every metric, in addition to `group` and `type`. Defaults to none. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Checks and completes the options. Throws `INVALID_ARGUMENT` with the option and the rule. */
export function resolvePrometheusOptions(options: PrometheusOptions): Required<PrometheusOptions> {
  const { register, prefix = "", labels = {} } = options ?? {};
  if (typeof register?.registerMetric !== "function") {
    throw invalidArgument(`register must be a registry of prom-client, got ${describe(register)}`);
  }
  if (typeof prefix !== "string" || !/^([a-zA-Z_:][a-zA-Z0-9_:]*)?$/.test(prefix)) {
    throw invalidArgument(
      `prefix must contain only letters, digits, "_" and ":" and not begin with a digit, got ${describe(prefix)}`,
    );
  }
  knownOptions("collectPrometheus", options, { register: 1, prefix: 1, labels: 1 });
  return { register, prefix, labels: checkedLabels(labels) };
}

function checkedLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (typeof labels !== "object" || labels === null || Array.isArray(labels)) {
    throw invalidArgument(`labels must be an object of strings, got ${describe(labels)}`);
  }
  for (const [name, value] of Object.entries(labels)) {
    // Names with two underscores are reserved by Prometheus.
    if (!/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) || name === "group" || name === "type") {
      throw invalidArgument(
        `names in labels must contain only letters, digits and "_", and not be "group" or "type", got ${describe(name)}`,
      );
    }
    if (typeof value !== "string") {
      throw invalidArgument(`labels.${name} must be a string, got ${describe(value)}`);
    }
  }
  return { ...labels };
}
