import { describe, expect, it } from "vitest";
import { clusterConfigFromEnv } from "./discovery/cluster-config.ts";
import { createDnsDiscovery } from "./discovery/dns-discovery.ts";
import { knownOptions, nearestName } from "./option-checks.ts";
import { createGroupCache } from "./registry/group-cache.ts";
import { createDataSourceRegistry } from "./registry/registry.ts";

const refused = (message: string): unknown =>
  expect.objectContaining({ code: "INVALID_ARGUMENT", message });

const source = {
  name: "users",
  cacheKey: (id: string) => id,
  fetch: async (id: string) => id,
};

const names = {
  ttlMs: 1,
  ttlJitter: 1,
  timeoutMs: 1,
  maxBytes: 1,
  staleIfErrorMs: 1,
  hot: 1,
} as const;

describe("unknown options", () => {
  it.each([
    ["ttl", "ttlMs"],
    ["TTL", "ttlMs"],
    ["ttl_ms", "ttlMs"],
    ["ttlSeconds", "ttlMs"],
    ["timeout", "timeoutMs"],
    ["maxSize", "maxBytes"],
    ["max", "maxBytes"],
    ["staleIfError", "staleIfErrorMs"],
    ["tllMs", "ttlMs"],
  ])("names the option nearest to %s: %s", (given, near) => {
    expect(nearestName(given, Object.keys(names))).toBe(near);
  });

  it("lists the options where none is near", () => {
    expect(() => knownOptions<object>("register", { retries: 3 }, names)).toThrow(
      refused(
        "retries is not an option of register; options: ttlMs, ttlJitter, timeoutMs, maxBytes, staleIfErrorMs, hot",
      ),
    );
  });

  it("ignores symbols, undefined values, and what an object inherits", () => {
    const given = Object.assign(Object.create({ ttl: 5 }), {
      ttlMs: 5,
      ttl: undefined,
      [Symbol("x")]: 1,
    });
    expect(() => knownOptions("register", given, names)).not.toThrow();
  });

  it("rejects names that only Object.prototype has", () => {
    expect(() => knownOptions<object>("register", { toString: 1 }, names)).toThrow(
      /^toString is not/,
    );
  });

  it("quotes a name that is not an identifier, and cuts a long one", () => {
    const given = { [`a b${"c".repeat(200)}`]: 1 };
    expect(() => knownOptions<object>("register", given, names)).toThrow(/^"a b(c{61})…" is not/);
  });

  it("are rejected by every factory of core", () => {
    const registry = createDataSourceRegistry();
    const attempts: [() => unknown, string][] = [
      [
        () => registry.register(source, { ttl: 5 } as never),
        "ttl is not an option of register; did you mean ttlMs?",
      ],
      [
        () => registry.register(source, { hot: { min: 5 } } as never),
        "min is not an option of hot; did you mean minRatePerMinute?",
      ],
      [
        () => createDataSourceRegistry({ handOver: 5 } as never),
        "handOver is not an option of createDataSourceRegistry; did you mean handOverMs?",
      ],
      [
        () => createGroupCache({ peer: 5 } as never),
        "peer is not an option of createGroupCache; did you mean peers?",
      ],
      [
        () => createGroupCache().group("g", { load: () => "", ttl: 5 } as never),
        "ttl is not an option of group; did you mean ttlMs?",
      ],
      [
        () => createDnsDiscovery({ name: "a", refresh: 5 } as never),
        "refresh is not an option of createDnsDiscovery; did you mean refreshMs?",
      ],
    ];
    for (const [attempt, message] of attempts) expect(attempt).toThrow(refused(message));
  });

  it("are rejected by every call of a handle", async () => {
    const users = createDataSourceRegistry().register(source);
    const options = { timeout: 5 } as never;
    const message = "timeout is not an option of a call; options: signal";
    await users.get("a");
    for (const call of [
      () => users.get("a", options),
      () => users.getMany([], options),
      () => users.getMany(["a"], options),
      () => users.invalidate("a", options),
      () => users.invalidateTag("a", options),
      () => users.invalidateAll(options),
    ]) {
      await expect(call()).rejects.toEqual(refused(message));
    }
    await expect(users.get("a", AbortSignal.abort() as never)).rejects.toEqual(
      refused("options of a call must be an object such as { signal }, got an AbortSignal"),
    );
    await expect(users.get("a", 5 as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(users.get("a", { signal: undefined })).resolves.toBe("a");
  });

  it("are rejected in a data source only where they look like a mistake", () => {
    const { register } = createDataSourceRegistry();
    expect(() => register({ ...source, ttlMs: 5 } as never)).toThrow(
      refused("users: ttlMs is an option of register's second argument"),
    );
    expect(() => register({ ...source, cacheinput: (id: string) => id } as never)).toThrow(
      refused("users: cacheinput is not a field of a data source; did you mean cacheInput?"),
    );
    expect(() => register({ ...source, table: "users" } as never)).not.toThrow();
  });
});

describe("invalid parts of a node", () => {
  it.each([
    [null, /^options must be an object, got null \(createDataSourceRegistry\)/],
    [5, /^options must be an object, got 5/],
    [{ peers: 5 }, /^peers must be a transport/],
    [{ clock: 5 }, /^clock must have the methods now and schedule, got 5/],
    [{ random: 5 }, /^random must be a function, got 5/],
  ])("%o is rejected", (options, message) => {
    expect(() => createDataSourceRegistry(options as never)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringMatching(message),
      }),
    );
  });

  it("codec: null is rejected instead of the default", () => {
    expect(() => createDataSourceRegistry().register(source, { codec: null } as never)).toThrow(
      refused("codec.encode must be a function, got undefined"),
    );
  });

  it("a cacheKey that throws an object without prototype rejects the call", async () => {
    const users = createDataSourceRegistry().register({
      ...source,
      cacheKey: () => {
        throw Object.create(null);
      },
    });
    await expect(users.get("a")).rejects.toMatchObject({ code: "INVALID_KEY" });
  });

  it("invalidate rejects a signal that is not one", async () => {
    const users = createDataSourceRegistry().register(source);
    await expect(users.invalidate("a", { signal: 5 } as never)).rejects.toEqual(
      refused("signal must be an AbortSignal, got 5"),
    );
  });

  it("the configuration from the environment has only options of a transport", () => {
    expect(Object.keys(clusterConfigFromEnv({})).sort()).toEqual(["peerUrls", "selfUrl"]);
  });
});
