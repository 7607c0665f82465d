import { ParsecError } from "@parsec/core";
import { describe } from "@parsec/core/authoring";
import type { OpenMetricsContentType, PrometheusContentType, Registry } from "prom-client";

/** A registry of prom-client, whichever of its two formats it renders. */
export type PrometheusRegister = Registry<PrometheusContentType> | Registry<OpenMetricsContentType>;

/** Options of `collectPrometheus`. */
export interface PrometheusOptions {
  /** Where the metrics are added: prom-client's default `register`, or a `Registry` of your own. */
  readonly register: PrometheusRegister;
  /** Put before every name: `"shop_"` makes `shop_groupcache_gets_total`. Defaults to `""`. */
  readonly prefix?: string;
  /** Labels that every line carries beside `group` and `type`. Defaults to none. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Fills in what was left out. Throws `INVALID_ARGUMENT`, naming the option. */
export function resolvePrometheusOptions(options: PrometheusOptions): Required<PrometheusOptions> {
  const { register, prefix = "", labels = {} } = options ?? {};
  if (typeof register?.registerMetric !== "function") {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `register must be a registry of prom-client, got ${describe(register)}`,
    );
  }
  if (typeof prefix !== "string" || !/^([a-zA-Z_:][a-zA-Z0-9_:]*)?$/.test(prefix)) {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `prefix must be letters, digits, "_" and ":", no digit first, got ${describe(prefix)}`,
    );
  }
  return { register, prefix, labels: checkedLabels(labels) };
}

function checkedLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (typeof labels !== "object" || labels === null || Array.isArray(labels)) {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `labels must be an object of texts, got ${describe(labels)}`,
    );
  }
  for (const [name, value] of Object.entries(labels)) {
    // Two underscores are Prometheus's own.
    if (!/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) || name === "group" || name === "type") {
      throw new ParsecError(
        "INVALID_ARGUMENT",
        `a label of labels must be letters, digits and "_", and neither "group" nor "type", got ${describe(name)}`,
      );
    }
    if (typeof value !== "string") {
      throw new ParsecError(
        "INVALID_ARGUMENT",
        `labels.${name} must be text, got ${describe(value)}`,
      );
    }
  }
  return { ...labels };
}
