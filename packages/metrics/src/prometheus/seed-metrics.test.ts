import { createDataSourceRegistry } from "@parsec/core";
import { expect, it } from "vitest";
import { askedPeople, peopleSource } from "../../test/people-registry.ts";
import { seedMetrics } from "./seed-metrics.ts";

it("prints the counters of each source under the names of the cluster guide", async () => {
  const { registry } = await askedPeople();
  registry.register(peopleSource("orders"));
  expect(seedMetrics(registry)).toBe(`\
# Cache Metrics
cache_gets{source="users"} 6
cache_hits{source="users"} 2
cache_loads{source="users"} 4
cache_fetches{source="users"} 4
cache_gets{source="orders"} 0
cache_hits{source="orders"} 0
cache_loads{source="orders"} 0
cache_fetches{source="orders"} 0
`);
  await registry.close();
});

it("prints only the heading without sources", () => {
  expect(seedMetrics(createDataSourceRegistry())).toBe("# Cache Metrics\n");
});

it("escapes as Prometheus does", () => {
  const registry = createDataSourceRegistry();
  registry.register(peopleSource('a"b\\c\nd\te é\ud83d'));
  expect(seedMetrics(registry).split("\n")[1]).toBe(
    'cache_gets{source="a\\"b\\\\c\\nd\te é\\\\ud83d"} 0',
  );
});

it("rejects an invalid argument", () => {
  expect(() => seedMetrics({} as never)).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT" }),
  );
});
