import {
  type DataSourceRegistry,
  type GroupCache,
  type GroupStats,
  ParsecError,
} from "@parsec/core";
import { describe } from "@parsec/core/authoring";

/** Whose groups are measured: a registry of data sources, or a plain cache of groups. */
export type MeasuredNode = DataSourceRegistry | GroupCache;

/** One group's counters under its full name. */
export interface GroupReading {
  /** As peers call it: `datasource:<name>` for a data source. Fit for a label. */
  readonly group: string;
  readonly stats: GroupStats;
}

/** Throws `INVALID_ARGUMENT` for what has no `stats()`. */
export function checkMeasuredNode(node: unknown): void {
  if (typeof (node as Partial<MeasuredNode> | null | undefined)?.stats === "function") return;
  throw new ParsecError(
    "INVALID_ARGUMENT",
    `what is measured must be a data source registry or a group cache, got ${describe(node)}`,
  );
}

/** All groups that are registered by now. */
export function readGroups(node: MeasuredNode): readonly GroupReading[] {
  const prefix = "getClusterStats" in node ? "datasource:" : "";
  return Object.entries(node.stats()).map(([name, stats]) => ({
    group: labelText(prefix + name),
    stats,
  }));
}

/** Half a surrogate pair is no UTF-8: written as it is, two groups could become one on the wire. */
export function labelText(name: string): string {
  return name.replace(/\p{Surrogate}/gu, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
}
