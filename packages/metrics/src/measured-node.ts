import type { DataSourceRegistry, GroupCache, GroupStats } from "@parsec/core";
import { describe, invalidArgument } from "@parsec/core/authoring";

/** The object to measure: a registry of data sources, or a group cache. */
export type MeasuredNode = DataSourceRegistry | GroupCache;

/** The counters of one group. */
export interface GroupReading {
  /** Full name, escaped for labels: `datasource:<name>` for a data source. */
  readonly group: string;
  readonly stats: GroupStats;
}

/** Throws `INVALID_ARGUMENT` unless the value has a method `stats`. */
export function checkMeasuredNode(node: unknown): void {
  if (typeof (node as Partial<MeasuredNode> | null | undefined)?.stats === "function") return;
  throw invalidArgument(
    `node must be a data source registry or a group cache, got ${describe(node)}`,
  );
}

/** Reads the counters of all registered groups. */
export function readGroups(node: MeasuredNode): readonly GroupReading[] {
  const prefix = "getClusterStats" in node ? "datasource:" : "";
  return Object.entries(node.stats()).map(([name, stats]) => ({
    group: labelText(prefix + name),
    stats,
  }));
}

/** Escapes lone surrogates, which UTF-8 cannot encode: otherwise two groups could get the same label. */
export function labelText(name: string): string {
  return name.replace(/\p{Surrogate}/gu, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
}
