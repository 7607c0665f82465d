import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { createDataSourceRegistry, createGroupCache } from "@parsec/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askedPeople, peopleSource } from "../../test/people-registry.ts";
import { observeOpenTelemetry } from "./observe-open-telemetry.ts";

interface Exported {
  readonly unit: string;
  readonly monotonic: boolean;
  /** Values by attributes. */
  readonly values: Record<string, unknown>;
}

let exporter: InMemoryMetricExporter;
let reader: PeriodicExportingMetricReader;
let provider: MeterProvider;

beforeEach(() => {
  exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  provider = new MeterProvider({ readers: [reader] });
});
afterEach(() => provider.shutdown());

/** The exported metrics of one collection, by name. */
async function collect(): Promise<Record<string, Exported>> {
  exporter.reset();
  await reader.forceFlush();
  const metrics = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
  return Object.fromEntries(
    metrics
      .flatMap((scope) => scope.metrics)
      .map((metric) => [
        metric.descriptor.name,
        {
          unit: metric.descriptor.unit,
          monotonic: metric.dataPointType === DataPointType.SUM && metric.isMonotonic,
          values: Object.fromEntries(
            metric.dataPoints.map(({ attributes, value }) => [JSON.stringify(attributes), value]),
          ),
        },
      ]),
  );
}

const group = '{"group.name":"datasource:users"}';
const main = '{"group.name":"datasource:users","cache.type":"main"}';
const hot = '{"group.name":"datasource:users","cache.type":"hot"}';

describe("observeOpenTelemetry", () => {
  it("exports every counter under the names of groupcache-go", async () => {
    const { registry } = await askedPeople();
    observeOpenTelemetry(registry, { meter: provider.getMeter("test") });
    const counter = (value: number): Exported => ({
      unit: "",
      monotonic: true,
      values: { [group]: value },
    });
    const perCache = (inMain: number, inHot: number): Omit<Exported, "monotonic"> => ({
      unit: "",
      values: { [main]: inMain, [hot]: inHot },
    });
    expect(await collect()).toEqual({
      "groupcache.group.gets": counter(6),
      "groupcache.group.cache_hits": counter(2),
      "groupcache.group.peer.loads": counter(0),
      "groupcache.group.peer.errors": counter(0),
      "groupcache.group.loads": counter(4),
      "groupcache.group.loads.deduped": counter(4),
      "groupcache.group.local.loads": counter(3),
      "groupcache.group.local.load_errors": counter(1),
      "groupcache.group.refused_loads": counter(0),
      "groupcache.group.breaker.open": { ...counter(0), monotonic: false },
      "groupcache.group.warm.loads": counter(0),
      "groupcache.group.taken_over": counter(0),
      "groupcache.group.server_requests": counter(0),
      "groupcache.group.stale_hits": counter(0),
      "groupcache.group.remove_keys.requests": counter(1),
      "groupcache.group.flights": { ...counter(0), monotonic: false },
      "groupcache.cache.bytes": {
        ...perCache(registry.stats().users?.main.bytes ?? 0, 0),
        unit: "By",
        monotonic: false,
      },
      "groupcache.cache.items": { ...perCache(1, 0), monotonic: false },
      "groupcache.cache.gets": { ...perCache(6, 4), monotonic: true },
      "groupcache.cache.hits": { ...perCache(2, 0), monotonic: true },
      "groupcache.cache.evictions": { ...perCache(0, 0), monotonic: true },
    });
    await registry.close();
  });

  it("includes groups registered later, and new values", async () => {
    const cache = createGroupCache();
    observeOpenTelemetry(cache, { meter: provider.getMeter("test") });
    expect((await collect())["groupcache.group.gets"]?.values ?? {}).toEqual({});
    const pages = cache.group('odd "name"\ud83d', { load: () => "page" });
    await pages.get("a");
    const attributes = JSON.stringify({ "group.name": 'odd "name"\\ud83d' });
    expect((await collect())["groupcache.group.gets"]?.values).toEqual({ [attributes]: 1 });
    await pages.get("a");
    expect((await collect())["groupcache.group.gets"]?.values).toEqual({ [attributes]: 2 });
  });

  it("distinguishes two nodes on one meter by their attributes, and stops when closed", async () => {
    const meter = provider.getMeter("test");
    const nodes = ["a", "b"].map((node) => {
      const registry = createDataSourceRegistry();
      const users = registry.register(peopleSource("users"));
      const observer = observeOpenTelemetry(registry, { meter, attributes: { node } });
      return { users, observer };
    });
    await nodes[1]?.users.get("alice");
    const ofNode = (node: string): string =>
      JSON.stringify({ node, "group.name": "datasource:users" });
    expect((await collect())["groupcache.group.gets"]?.values).toEqual({
      [ofNode("a")]: 0,
      [ofNode("b")]: 1,
    });
    nodes[0]?.observer.close();
    nodes[0]?.observer.close();
    await nodes[0]?.users.get("alice");
    await nodes[1]?.users.get("alice");
    // The SDK repeats the last values.
    expect((await collect())["groupcache.group.gets"]?.values).toEqual({
      [ofNode("a")]: 0,
      [ofNode("b")]: 2,
    });
  });

  it("reads the counters once per collection", async () => {
    const { registry } = await askedPeople();
    let readings = 0;
    const counted = {
      ...registry,
      stats() {
        readings++;
        return registry.stats();
      },
    };
    observeOpenTelemetry(counted, { meter: provider.getMeter("test") });
    await collect();
    expect(readings).toBe(1);
  });

  it.each([
    ["node", {}, undefined],
    ["meter", createDataSourceRegistry(), {}],
    ["meter", createDataSourceRegistry(), undefined],
  ])("rejects an invalid %s and names it", (field, node, given) => {
    const options = field === "meter" ? given : { meter: provider.getMeter("test") };
    expect(() => observeOpenTelemetry(node as never, options as never)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining(field),
      }),
    );
  });
});
