import type { DataSourceRegistry } from "@parsec/core";

/** The counters of each data source, one per line, under the names of the cluster guide. */
export function cacheMetricsText(registry: DataSourceRegistry): string {
  const lines = ["# Cache Metrics"];
  for (const [source, stats] of Object.entries(registry.stats())) {
    const label = `{source=${JSON.stringify(source)}}`;
    lines.push(
      `cache_gets${label} ${stats.gets}`,
      `cache_hits${label} ${stats.cacheHits}`,
      `cache_loads${label} ${stats.loads}`,
    );
  }
  return `${lines.join("\n")}\n`;
}
