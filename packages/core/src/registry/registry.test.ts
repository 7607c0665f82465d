import { describe, expect, expectTypeOf, it, vi } from "vitest";
import { expectBalance } from "../../test/one-group.ts";
import { sourceOf, type User, usersSource } from "../../test/sources.ts";
import { SteppedClock, settled } from "../../test/stepped-clock.ts";
import { WaitingLoader } from "../../test/waiting-loader.ts";
import type { DataSource } from "./data-source.ts";
import { createDataSourceClusterRegistry, createDataSourceRegistry } from "./registry.ts";

describe("the registry", () => {
  it("finds sources by name", async () => {
    const registry = createDataSourceRegistry();
    const users = registry.register(usersSource());
    expect(registry.get("users")).toBe(users);
    expect(registry.get("unknown")).toBeUndefined();
    expect(await registry.fetch("users", { id: "a" })).toEqual({ id: "a", roles: ["reader"] });
    const { signal } = new AbortController();
    expect(await registry.fetch("users", { id: "a" }, { signal })).toEqual(users.peek({ id: "a" }));
    await expect(
      registry.fetch("users", { id: "b" }, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: "ABORTED" });
  });

  it.each(["unknown", "", "datasource:users", "__proto__", "constructor"])(
    "rejects the unknown name %j with NO_SUCH_GROUP",
    async (name) => {
      const registry = createDataSourceRegistry();
      registry.register(usersSource());
      await expect(registry.fetch(name, {})).rejects.toMatchObject({
        code: "NO_SUCH_GROUP",
        message: expect.stringContaining(JSON.stringify(name)),
      });
    },
  );

  it("lists names in order of registration, counters by name, and itself as the only member", async () => {
    const registry = createDataSourceRegistry();
    registry.register({ ...usersSource(), name: "b" });
    const a = registry.register({ ...usersSource(), name: "a" });
    await a.get({ id: "x" });
    expect(registry.names()).toEqual(["b", "a"]);
    expect(registry.stats()).toMatchObject({ a: { gets: 1 }, b: { gets: 0 } });
    const { selfUrl, peerUrls, peerCount } = registry.getClusterStats();
    expect(peerUrls).toEqual([selfUrl]);
    expect(peerCount).toBe(1);
    expect(() => registry.updatePeers(["http://a:1"])).toThrow(/^peers must be set/);
  });

  it("rejects a second data source of the same name and names it", async () => {
    const registry = createDataSourceRegistry();
    const users = registry.register(usersSource());
    expect(() => registry.register(usersSource())).toThrow(
      expect.objectContaining({
        code: "DUPLICATE_NAME",
        message: expect.stringContaining("users"),
      }),
    );
    expect(await users.get({ id: "a" })).toBeDefined();
    expect(registry.names()).toEqual(["users"]);
  });

  it("keeps two registries in one process apart", async () => {
    const [one, other] = [createDataSourceRegistry(), createDataSourceRegistry()];
    const [ones, others] = [one.register(usersSource()), other.register(usersSource())];
    await ones.get({ id: "a" });
    expect(others.peek({ id: "a" })).toBeUndefined();
    await one.close();
    expect(await others.get({ id: "a" })).toBeDefined();
    await other.close();
  });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["text", "users"],
    ["no name", { cacheKey: () => "", fetch: () => {} }],
    ["an empty name", { name: "", cacheKey: () => "", fetch: () => {} }],
    ["a number for a name", { name: 5, cacheKey: () => "", fetch: () => {} }],
    ["a name of 201 characters", { name: "x".repeat(201), cacheKey: () => "", fetch: () => {} }],
    ["a name of 300 bytes", { name: "日".repeat(100), cacheKey: () => "", fetch: () => {} }],
    ["no cacheKey", { name: "s", fetch: () => {} }],
    ["no fetch", { name: "s", cacheKey: () => "" }],
    ["text for fetch", { name: "s", cacheKey: () => "", fetch: "SELECT 1" }],
  ])("refuses a source with %s", (_, source) => {
    const registry = createDataSourceRegistry();
    expect(() => registry.register(source as DataSource<unknown, unknown>)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
    expect(registry.names()).toEqual([]);
  });

  it.each<[object | null, RegExp]>([
    [null, /^options must be an object/],
    [{ ttlMs: -1 }, /^ttlMs must be a number/],
    [{ codec: 5 }, /^codec.encode must be a function/],
    [{ codec: { encode: () => new Uint8Array() } }, /^codec.decode must be a function/],
    [{ tags: "a" }, /^tags must be a function/],
  ])("refuses the options %j, and the name stays free", (options, message) => {
    const registry = createDataSourceRegistry();
    expect(() => registry.register(usersSource(), options as object)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringMatching(message),
      }),
    );
    expect(registry.names()).toEqual([]);
    registry.register(usersSource());
  });

  it.each([undefined, {}, { peers: undefined }, { peers: {} }])(
    "of a cluster rejects the options %j",
    (options) => {
      expect(() =>
        createDataSourceClusterRegistry(
          options as Parameters<typeof createDataSourceClusterRegistry>[0],
        ),
      ).toThrow(
        expect.objectContaining({
          code: "INVALID_ARGUMENT",
          message: expect.stringMatching(/^peers must be/),
        }),
      );
    },
  );

  it("I8 rejects pending calls with CLOSED when it is closed, and closing twice is fine", async () => {
    const loader = new WaitingLoader<{ id: string }, User>();
    const registry = createDataSourceRegistry();
    const users = registry.register(usersSource(loader.load));
    const waiting = [users.get({ id: "a" }), registry.fetch("users", { id: "a" })];
    const outcome = Promise.allSettled(waiting);
    await Promise.all([registry.close(), registry.close()]);
    for (const result of await outcome)
      expect(result).toMatchObject({ reason: { code: "CLOSED" } });
    expect(loader.last.signal.aborted).toBe(true);
    loader.last.resolve({ id: "a", roles: [] });
    await settled();
    expect(users.peek({ id: "a" })).toBeUndefined();
    await expect(users.get({ id: "a" })).rejects.toMatchObject({ code: "CLOSED" });
    await expect(users.invalidateAll()).rejects.toMatchObject({ code: "CLOSED" });
    expect(() => registry.register({ ...usersSource(), name: "other" })).toThrow(
      expect.objectContaining({ code: "CLOSED" }),
    );
    expectBalance(users.stats());
  });
});

describe("a registered source", () => {
  it("I1 is fetched once for all callers and then answers from memory", async () => {
    const fetch = vi.fn(usersSource().fetch);
    const registry = createDataSourceRegistry();
    const users = registry.register(usersSource(fetch), { ttlMs: 300_000 });
    const all = await Promise.all(Array.from({ length: 100 }, () => users.get({ id: "alice" })));
    expect(fetch).toHaveBeenCalledTimes(1);
    for (const user of all) expect(user).toEqual({ id: "alice", roles: ["reader"] });
    expect(users.peek({ id: "alice" })).toEqual({ id: "alice", roles: ["reader"] });
    expect(users.peek({ id: "bob" })).toBeUndefined();
    await users.invalidate({ id: "alice" });
    expect(users.peek({ id: "alice" })).toBeUndefined();
    await users.get({ id: "alice" });
    expect(fetch).toHaveBeenCalledTimes(2);
    expectBalance(users.stats());
    await registry.close();
  });

  it("infers the types of its input and data", () => {
    const users = createDataSourceRegistry().register(usersSource());
    expectTypeOf(users.get).parameter(0).toEqualTypeOf<{ id: string }>();
    expectTypeOf(users.peek({ id: "a" })).toEqualTypeOf<User | undefined>();
  });

  it("returns the same frozen data to all callers", async () => {
    const users = createDataSourceRegistry().register(usersSource());
    const [one, other] = await Promise.all([users.get({ id: "a" }), users.get({ id: "a" })]);
    expect(one).toBe(other);
    const hit = await users.get({ id: "a" });
    for (const user of [one, hit, users.peek({ id: "a" })] as { id: string; roles: string[] }[]) {
      expect(() => {
        user.id = "eve";
      }).toThrow(/read only/);
      expect(() => user.roles.push("admin")).toThrow(/not extensible/);
    }
    expect(users.peek({ id: "a" })).toEqual({ id: "a", roles: ["reader"] });
  });

  it("does not change when the source changes what it returned", async () => {
    const roles = ["reader"];
    const users = createDataSourceRegistry().register(
      usersSource(({ id }) => Promise.resolve({ id, roles })),
    );
    await users.get({ id: "a" });
    roles.push("admin");
    expect(await users.get({ id: "a" })).toEqual({ id: "a", roles: ["reader"] });
  });

  it.each([null, false, 0, "", [], {}])("caches %j as data", async (data) => {
    const fetch = vi.fn(() => Promise.resolve(data));
    const source = createDataSourceRegistry().register(sourceOf<unknown>(fetch));
    expect(await source.get("k")).toEqual(data);
    expect(await source.get("k")).toEqual(data);
    expect(source.peek("k")).toEqual(data);
    expect(fetch).toHaveBeenCalledTimes(1);
  });

  it("caches undefined for negativeTtlMs only", async () => {
    const fetch = vi.fn(() => Promise.resolve(undefined));
    const registry = createDataSourceRegistry();
    const forgetting = registry.register({ ...sourceOf(fetch), name: "a" });
    const remembering = registry.register(
      { ...sourceOf(fetch), name: "b" },
      { negativeTtlMs: 1000 },
    );
    for (const source of [forgetting, remembering]) {
      expect(await source.get("k")).toBeUndefined();
      expect(await source.get("k")).toBeUndefined();
    }
    expect(fetch).toHaveBeenCalledTimes(3);
  });

  it("does not cache a call whose key is empty", async () => {
    let calls = 0;
    const source = createDataSourceRegistry().register(sourceOf(() => Promise.resolve(++calls)));
    expect(await Promise.all([source.get(""), source.get("")])).toEqual([1, 2]);
    expect(await source.get("")).toBe(3);
    expect(source.peek("")).toBeUndefined();
    expect(source.stats()).toMatchObject({ loadsDeduped: 3, main: { items: 0 } });
    expectBalance(source.stats());
  });

  it("returns data for many inputs in their order", async () => {
    const users = createDataSourceRegistry().register(usersSource());
    const ids = ["c", "a", "b", "a"];
    const found = await users.getMany(ids.map((id) => ({ id })));
    expect(found.map((user) => user?.id)).toEqual(ids);
    expect(users.stats().loadsDeduped).toBe(3);
  });

  it("may be an instance of a class", async () => {
    class Greeter implements DataSource<string, string> {
      readonly name = "greeter";
      readonly #greeting = "hello";
      cacheKey(input: string): string {
        return `${this.#greeting}:${input}`;
      }
      cacheInput(input: string): string {
        return this.#greeting ? input : "";
      }
      fetch(input: string): Promise<string> {
        return Promise.resolve(`${this.#greeting} ${input}`);
      }
    }
    const greeter = createDataSourceRegistry().register(new Greeter());
    expect(await greeter.get("world")).toBe("hello world");
    expect(greeter.peek("world")).toBe("hello world");
  });

  it("fires its signal when no callers are left and on timeout", async () => {
    const loader = new WaitingLoader<string, string>();
    const clock = new SteppedClock();
    const registry = createDataSourceRegistry({ clock });
    const source = registry.register(
      { name: "s", cacheKey: (input: string) => input, fetch: loader.load },
      { timeoutMs: 100 },
    );
    const leaver = new AbortController();
    const left = source.get("a", { signal: leaver.signal });
    leaver.abort();
    await expect(left).rejects.toMatchObject({ code: "ABORTED" });
    expect(loader.last.signal.aborted).toBe(true);
    const late = source.get("b").catch((error: unknown) => error);
    await clock.advance(100);
    expect(await late).toMatchObject({ code: "TIMEOUT" });
    expect(loader.last.signal.reason).toMatchObject({ code: "TIMEOUT" });
    expectBalance(source.stats());
  });
});

describe("tags", () => {
  it("are computed from input and data, and their invalidation drops the tagged entries", async () => {
    const users = createDataSourceRegistry().register(
      usersSource(({ id }) => Promise.resolve({ id, roles: id === "root" ? ["admin"] : [] })),
      { tags: ({ id }, { roles }) => [`user:${id}`, ...roles] },
    );
    await users.getMany([{ id: "root" }, { id: "bob" }]);
    await users.invalidateTag("admin");
    expect([users.peek({ id: "root" }), users.peek({ id: "bob" })]).toEqual([
      undefined,
      { id: "bob", roles: [] },
    ]);
    await users.invalidateTag("user:bob");
    expect(users.peek({ id: "bob" })).toBeUndefined();
    await users.get({ id: "bob" });
    await users.invalidateAll();
    expect(users.stats().main).toMatchObject({ items: 0, bytes: 0 });
  });
});
