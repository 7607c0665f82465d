import type { DataSourceRegistry } from "@parsec/core";

/**
 * The counters of each data source, one per line, under the names of the cluster guide. As in
 * groupcache a load counts on the node that was asked and on the owner; `cache_fetches` is ours and
 * counts only what reached the origin.
 */
export function cacheMetricsText(registry: DataSourceRegistry): string {
  const lines = ["# Cache Metrics"];
  for (const [source, stats] of Object.entries(registry.stats())) {
    const label = `{source=${JSON.stringify(source)}}`;
    lines.push(
      `cache_gets${label} ${stats.gets}`,
      `cache_hits${label} ${stats.cacheHits}`,
      `cache_loads${label} ${stats.loads}`,
      `cache_fetches${label} ${stats.localLoads + stats.localLoadErrs}`,
    );
  }
  return `${lines.join("\n")}\n`;
}
