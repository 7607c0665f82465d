import type { DataSourceRegistry } from "@parsec/core";
import { checkMeasuredNode, labelText } from "../measured-node.ts";

/**
 * Renders the text of `/metrics/cache`: gets, hits, loads and fetches of each data source, one per line.
 * As in groupcache, a load counts on the node that received the request and on the owner;
 * `cache_fetches` counts only fetches from the origin. Serve it as `text/plain`. Throws
 * `INVALID_ARGUMENT` unless `registry` has a method `stats`.
 */
export function seedMetrics(registry: Pick<DataSourceRegistry, "stats">): string {
  checkMeasuredNode(registry);
  const lines = ["# Cache Metrics"];
  for (const [source, stats] of Object.entries(registry.stats())) {
    const label = `{source="${escapeLabelValue(labelText(source))}"}`;
    lines.push(
      `cache_gets${label} ${stats.gets}`,
      `cache_hits${label} ${stats.cacheHits}`,
      `cache_loads${label} ${stats.loads}`,
      `cache_fetches${label} ${stats.localLoads + stats.localLoadErrs}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

/** The three escapes of Prometheus's text format, which has no others; JSON's would not parse. */
function escapeLabelValue(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
