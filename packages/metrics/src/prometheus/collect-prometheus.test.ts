import { createDataSourceRegistry, createGroupCache, type DataSourceRegistry } from "@parsec/core";
import {
  Gauge,
  register as globalRegister,
  type OpenMetricsContentType,
  Registry,
} from "prom-client";
import { afterEach, describe, expect, it } from "vitest";
import { askedPeople, peopleSource } from "../../test/people-registry.ts";
import { collectPrometheus } from "./collect-prometheus.ts";

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

function opening<T extends { close(): unknown }>(one: T): T {
  opened.push(one);
  return one;
}

function registryOf(...names: string[]): DataSourceRegistry {
  const registry = opening(createDataSourceRegistry());
  for (const name of names) registry.register(peopleSource(name));
  return registry;
}

/** The lines with a value. */
async function samples(register: { metrics(): Promise<string> }): Promise<string[]> {
  return (await register.metrics()).split("\n").filter((line) => line !== "" && line[0] !== "#");
}

describe("collectPrometheus", () => {
  it("prints every counter of a data source under the names of Go's exporters", async () => {
    const { registry } = await askedPeople();
    opening(registry);
    const register = new Registry();
    collectPrometheus(registry, { register });
    const bytes = registry.stats().users?.main.bytes ?? 0;
    expect(bytes).toBeGreaterThan(0);
    expect(await register.metrics()).toBe(`\
# HELP groupcache_gets_total Lookups, including those from peers
# TYPE groupcache_gets_total counter
groupcache_gets_total{group="datasource:users"} 6

# HELP groupcache_hits_total Lookups answered from memory
# TYPE groupcache_hits_total counter
groupcache_hits_total{group="datasource:users"} 2

# HELP groupcache_peer_loads_total Values received from their owner
# TYPE groupcache_peer_loads_total counter
groupcache_peer_loads_total{group="datasource:users"} 0

# HELP groupcache_peer_errors_total Failed lookups at the owner
# TYPE groupcache_peer_errors_total counter
groupcache_peer_errors_total{group="datasource:users"} 0

# HELP groupcache_loads_total Lookups not answered from memory
# TYPE groupcache_loads_total counter
groupcache_loads_total{group="datasource:users"} 4

# HELP groupcache_loads_deduped_total Loads after concurrent loads of one key were coalesced (singleflight)
# TYPE groupcache_loads_deduped_total counter
groupcache_loads_deduped_total{group="datasource:users"} 4

# HELP groupcache_local_loads_total Local origin fetches that succeeded
# TYPE groupcache_local_loads_total counter
groupcache_local_loads_total{group="datasource:users"} 3

# HELP groupcache_local_load_errs_total Local origin fetches that failed
# TYPE groupcache_local_load_errs_total counter
groupcache_local_load_errs_total{group="datasource:users"} 1

# HELP groupcache_refused_loads_total Loads refused without a fetch, because the origin fails
# TYPE groupcache_refused_loads_total counter
groupcache_refused_loads_total{group="datasource:users"} 0

# HELP groupcache_breaker_open 1 while the circuit breaker of the origin is open on this node
# TYPE groupcache_breaker_open gauge
groupcache_breaker_open{group="datasource:users"} 0

# HELP groupcache_warm_loads_total Values received from the memory of a key's former owner after a rebalance
# TYPE groupcache_warm_loads_total counter
groupcache_warm_loads_total{group="datasource:users"} 0

# HELP groupcache_taken_over_total Values handed over by nodes that shut down
# TYPE groupcache_taken_over_total counter
groupcache_taken_over_total{group="datasource:users"} 0

# HELP groupcache_server_requests_total Lookups received from peers
# TYPE groupcache_server_requests_total counter
groupcache_server_requests_total{group="datasource:users"} 0

# HELP groupcache_stale_hits_total Lookups answered with a stale value
# TYPE groupcache_stale_hits_total counter
groupcache_stale_hits_total{group="datasource:users"} 0

# HELP groupcache_invalidations_total Invalidations applied on this node, its own and those of peers
# TYPE groupcache_invalidations_total counter
groupcache_invalidations_total{group="datasource:users"} 1

# HELP groupcache_flights Loads in progress
# TYPE groupcache_flights gauge
groupcache_flights{group="datasource:users"} 0

# HELP groupcache_cache_bytes Accounted bytes in a cache
# TYPE groupcache_cache_bytes gauge
groupcache_cache_bytes{group="datasource:users",type="main"} ${bytes}
groupcache_cache_bytes{group="datasource:users",type="hot"} 0

# HELP groupcache_cache_items Values in a cache
# TYPE groupcache_cache_items gauge
groupcache_cache_items{group="datasource:users",type="main"} 1
groupcache_cache_items{group="datasource:users",type="hot"} 0

# HELP groupcache_cache_gets_total Lookups in a cache
# TYPE groupcache_cache_gets_total counter
groupcache_cache_gets_total{group="datasource:users",type="main"} 6
groupcache_cache_gets_total{group="datasource:users",type="hot"} 4

# HELP groupcache_cache_hits_total Hits in a cache
# TYPE groupcache_cache_hits_total counter
groupcache_cache_hits_total{group="datasource:users",type="main"} 2
groupcache_cache_hits_total{group="datasource:users",type="hot"} 0

# HELP groupcache_cache_evictions_total Values evicted from a cache because it was full
# TYPE groupcache_cache_evictions_total counter
groupcache_cache_evictions_total{group="datasource:users",type="main"} 0
groupcache_cache_evictions_total{group="datasource:users",type="hot"} 0
`);
  });

  it("shows that an origin fails, and the loads that were refused meanwhile", async () => {
    const cache = opening(createGroupCache());
    const register = new Registry();
    collectPrometheus(cache, { register });
    const pages = cache.group("pages", {
      originBreaker: { failures: 2, errorTtlMs: 60_000, maxErrorTtlMs: 60_000 },
      load: () => Promise.reject(new Error("no connection")),
    });
    for (const key of ["a", "b", "c"]) await expect(pages.get(key)).rejects.toThrow();
    expect(await samples(register)).toEqual(
      expect.arrayContaining([
        'groupcache_local_load_errs_total{group="pages"} 2',
        'groupcache_refused_loads_total{group="pages"} 1',
        'groupcache_breaker_open{group="pages"} 1',
      ]),
    );
  });

  it("shows new values in the next scrape, including evictions and loads in progress", async () => {
    const cache = opening(createGroupCache());
    const register = new Registry();
    collectPrometheus(cache, { register });
    const pages = cache.group("pages", {
      maxBytes: 4096,
      load: (key, { signal }) =>
        key === "slow"
          ? new Promise((_, reject) =>
              signal.addEventListener("abort", () => reject(signal.reason)),
            )
          : new Uint8Array(1500),
    });
    for (const key of ["a", "b", "c", "d"]) await pages.get(key);
    const leaving = new AbortController();
    const slow = pages.get("slow", { signal: leaving.signal });
    const { evictions } = pages.stats().main;
    expect(evictions).toBeGreaterThan(0);
    expect(await samples(register)).toEqual(
      expect.arrayContaining([
        'groupcache_gets_total{group="pages"} 5',
        'groupcache_flights{group="pages"} 1',
        `groupcache_cache_evictions_total{group="pages",type="main"} ${evictions}`,
      ]),
    );
    leaving.abort();
    await expect(slow).rejects.toMatchObject({ code: "ABORTED" });
    expect(await samples(register)).toContain('groupcache_flights{group="pages"} 0');
  });

  it("includes groups registered later, and keeps working after the node has closed", async () => {
    const registry = registryOf();
    const register = new Registry();
    collectPrometheus(registry, { register });
    expect(await samples(register)).toEqual([]);
    const users = registry.register(peopleSource("users"));
    await users.get("alice");
    await registry.close();
    expect(await samples(register)).toContain('groupcache_gets_total{group="datasource:users"} 1');
  });

  it.each([
    ["a quote, a backslash and a line", 'a"b\\c\nd', '"a\\"b\\\\c\\nd"'],
    ["text that looks like labels", 'x",type="hot"} 9', '"x\\",type=\\"hot\\"} 9"'],
    ["text that looks like two keys of prom-client", "x,type:main", '"x,type:main"'],
    ["other control characters, which the format does not escape", "a\tb\rc", '"a\tb\rc"'],
    ["Unicode", "Ünïcödé 🦉", '"Ünïcödé 🦉"'],
    ["a lone surrogate", "a\ud83dz", '"a\\\\ud83dz"'],
    ["the name of an object property", "__proto__", '"__proto__"'],
  ])("distinguishes groups whose names have %s", async (_, name, label) => {
    const cache = opening(createGroupCache());
    const load = (): string => "value";
    await cache.group(name, { load }).get("key");
    cache.group("x", { load });
    const register = new Registry();
    collectPrometheus(cache, { register });
    const lines = await samples(register);
    expect(lines).toContain(`groupcache_gets_total{group=${label}} 1`);
    expect(lines).toContain('groupcache_gets_total{group="x"} 0');
    expect(lines).toContain(`groupcache_cache_items{group=${label},type="main"} 1`);
    expect(lines.length).toBe(2 * 26);
  });

  it("adds the prefix to every name and the labels to every line", async () => {
    const register = new Registry();
    collectPrometheus(registryOf("users"), {
      register,
      prefix: "shop_",
      labels: { node: 'the "first"', zone: "b" },
    });
    const lines = await samples(register);
    expect(lines).toContain(
      'shop_groupcache_cache_items{group="datasource:users",type="hot",node="the \\"first\\"",zone="b"} 0',
    );
    for (const line of lines) {
      expect(line).toMatch(/^shop_groupcache_\w+\{.*,node="the \\"first\\"",zone="b"\} \d+$/);
    }
  });

  it("reads the counters once per scrape, so that they are consistent", async () => {
    const registry = registryOf("users");
    let readings = 0;
    const register = new Registry();
    collectPrometheus(
      {
        ...registry,
        stats() {
          readings++;
          return registry.stats();
        },
      },
      { register },
    );
    expect(await register.metrics()).toBe(await register.metrics());
    expect(readings).toBe(2);
  });

  it("rejects a second collector with the same names, and does not change the register", async () => {
    const register = new Registry();
    const first = collectPrometheus(registryOf("users"), { register });
    const before = await register.metrics();
    const registry = registryOf("orders");
    expect(() => collectPrometheus(registry, { register })).toThrow(
      expect.objectContaining({
        code: "DUPLICATE_NAME",
        message:
          "register already has a metric named groupcache_gets_total: close its collector, or set another prefix",
      }),
    );
    expect(await register.metrics()).toBe(before);

    collectPrometheus(registry, { register, prefix: "other_" }).close();
    first.close();
    collectPrometheus(registry, { register });
    expect(await samples(register)).toContain('groupcache_gets_total{group="datasource:orders"} 0');
  });

  it("adds nothing when one name is taken", async () => {
    const register = new Registry();
    new Gauge({ name: "groupcache_flights", help: "another's", registers: [register] });
    expect(() => collectPrometheus(registryOf("users"), { register })).toThrow(
      expect.objectContaining({ code: "DUPLICATE_NAME" }),
    );
    expect(await samples(register)).toEqual(["groupcache_flights 0"]);
  });

  it("removes only its own metrics on close", async () => {
    const register = new Registry();
    new Gauge({ name: "mine", help: "stays", registers: [register] });
    const first = collectPrometheus(registryOf("users"), { register });
    first.close();
    expect(await samples(register)).toEqual(["mine 0"]);
    collectPrometheus(registryOf("orders"), { register });
    first.close();
    expect(await samples(register)).toContain('groupcache_gets_total{group="datasource:orders"} 0');
  });

  it("works with prom-client's default register", async () => {
    const collector = collectPrometheus(registryOf("users"), { register: globalRegister });
    expect(await samples(globalRegister)).toContain(
      'groupcache_gets_total{group="datasource:users"} 0',
    );
    collector.close();
    expect(await samples(globalRegister)).toEqual([]);
  });

  it("works with a register in OpenMetrics format", async () => {
    const register = new Registry<OpenMetricsContentType>();
    register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    const registry = registryOf("users");
    const collector = collectPrometheus(registry, { register });
    for (let scrape = 0; scrape < 2; scrape++) {
      const text = await register.metrics();
      expect(text).toContain(
        '# TYPE groupcache_gets counter\ngroupcache_gets_total{group="datasource:users"} 0\n',
      );
      expect(text).toMatch(/\n# EOF\n$/);
    }
    expect(() => collectPrometheus(registry, { register })).toThrow(
      expect.objectContaining({ code: "DUPLICATE_NAME" }),
    );
    collector.close();
    expect(await samples(register)).toEqual([]);
  });

  it.each([
    ["node", {}, undefined],
    ["register", undefined, {}],
    ["register", undefined, { register: {} }],
    ["prefix", undefined, { prefix: "1st_" }],
    ["prefix", undefined, { prefix: "with space" }],
    ["labels", undefined, { labels: "node" }],
    ["labels", undefined, { labels: { "no-dash": "x" } }],
    ["labels", undefined, { labels: { __reserved: "x" } }],
    ["labels", undefined, { labels: { group: "x" } }],
    ["labels", undefined, { labels: { type: "x" } }],
    ["labels.node", undefined, { labels: { node: 7 } }],
  ])("rejects an invalid %s and names it: %j %j", (field, node, options) => {
    const register = new Registry();
    const given = options === undefined ? { register } : { register, ...options };
    const wrong = field === "register" ? options : given;
    const call = (): unknown =>
      collectPrometheus((node ?? registryOf("users")) as never, wrong as never);
    expect(call).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining(field),
      }),
    );
    expect(register.getMetricsAsArray()).toEqual([]);
  });
});
