import { deserialize, serialize } from "node:v8";
import { describe, expect, it, vi } from "vitest";
import { expectBalance } from "../../test/one-group.ts";
import { holdingItself, sourceOf, type User, usersSource } from "../../test/sources.ts";
import { SteppedClock, settled } from "../../test/stepped-clock.ts";
import { ParsecError } from "../errors.ts";
import { bytesCodec, textCodec } from "./codec.ts";
import type { DataSource } from "./data-source.ts";
import { createDataSourceRegistry } from "./registry.ts";

describe("a source that fails", () => {
  it("I5 is called once and rejects all callers with the same ORIGIN_FAILED, which is not cached", async () => {
    const cause = new Error("database is gone");
    const fetch = vi.fn<DataSource<{ id: string }, User>["fetch"]>(() => Promise.reject(cause));
    const users = createDataSourceRegistry().register(usersSource(fetch));
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => users.get({ id: "a" })),
    );
    const reasons = new Set(results.map((result) => result.status === "rejected" && result.reason));
    expect(reasons.size).toBe(1);
    const [reason] = reasons;
    expect(reason).toBeInstanceOf(ParsecError);
    expect(reason).toMatchObject({
      code: "ORIGIN_FAILED",
      cause,
      message: "users: database is gone",
    });
    expect(fetch).toHaveBeenCalledTimes(1);
    await users.get({ id: "a" }).catch(() => {});
    expect(fetch).toHaveBeenCalledTimes(2);
    expectBalance(users.stats());
  });

  it("I8 by throwing synchronously rejects with ORIGIN_FAILED", async () => {
    const users = createDataSourceRegistry().register(
      usersSource(() => {
        throw new Error("at once");
      }),
    );
    await expect(users.get({ id: "a" })).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
    expectBalance(users.stats());
  });

  it("I5 because its own registry cannot reach peers rejects with ORIGIN_FAILED", async () => {
    const beneath = createDataSourceRegistry().register(
      sourceOf<string>(() => Promise.reject(new ParsecError("PEER_UNREACHABLE", "far away"))),
    );
    const above = createDataSourceRegistry().register(sourceOf((input) => beneath.get(input)));
    await expect(above.get("k")).rejects.toMatchObject({
      code: "ORIGIN_FAILED",
      cause: { code: "ORIGIN_FAILED", cause: { code: "PEER_UNREACHABLE" } },
    });
    const direct = createDataSourceRegistry().register(
      sourceOf<string>(() => Promise.reject(new ParsecError("PEER_UNREACHABLE", "far away"))),
    );
    await expect(direct.get("k")).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
  });

  it("I8 by waiting for itself rejects with a timeout", async () => {
    const clock = new SteppedClock();
    const registry = createDataSourceRegistry({ clock });
    const source = registry.register(
      sourceOf<string>((input) => registry.fetch("s", input) as Promise<string>),
    );
    const outcome = source.get("k").catch((error: unknown) => error);
    await clock.advance(10_000);
    expect(await outcome).toMatchObject({ code: "TIMEOUT" });
    await settled();
    expectBalance(source.stats());
  });

  it.each([
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a bigint", 1n],
    ["what holds itself", holdingItself()],
  ])(
    "I8 by returning %s, which JSON cannot encode, rejects with CODEC_FAILED and caches nothing",
    async (_, data) => {
      if (Array.isArray(data)) data.push(data);
      const fetch = vi.fn(() => Promise.resolve(data as unknown));
      const source = createDataSourceRegistry().register(sourceOf(fetch));
      const results = await Promise.allSettled([source.get("k"), source.get("k")]);
      for (const result of results)
        expect(result).toMatchObject({ reason: { code: "CODEC_FAILED" } });
      expect(fetch).toHaveBeenCalledTimes(1);
      expect(source.stats().main.items).toBe(0);
      expectBalance(source.stats());
    },
  );
});

describe("codec", () => {
  it("for bytes returns a copy to every caller", async () => {
    const source = createDataSourceRegistry().register(
      sourceOf(() => Promise.resolve(new Uint8Array(Buffer.from("abc")))),
      { codec: bytesCodec },
    );
    const together = await Promise.all([source.get("k"), source.get("k")]);
    const hit = await source.get("k");
    for (const value of [...together, hit, source.peek("k")]) {
      expect(Buffer.from(value ?? []).toString()).toBe("abc");
      value?.fill(0);
    }
    expect(Buffer.from((await source.get("k")) ?? []).toString()).toBe("abc");
  });

  it("for text returns strings", async () => {
    const source = createDataSourceRegistry().register(
      sourceOf((input) => Promise.resolve(`<${input}>`)),
      { codec: textCodec },
    );
    expect([await source.get("é"), await source.get("é")]).toEqual(["<é>", "<é>"]);
  });

  it("may be custom and return maps, decoded again for each caller", async () => {
    const source = createDataSourceRegistry().register(
      sourceOf(() => Promise.resolve(new Map([["a", 1]]))),
      {
        codec: { encode: serialize, decode: (bytes) => deserialize(bytes) as Map<string, number> },
      },
    );
    const first = await source.get("k");
    first?.set("a", 2);
    expect(await source.get("k")).toEqual(new Map([["a", 1]]));
  });

  it("I8 may be custom and return deep or cyclic data", async () => {
    interface Linked {
      next?: Linked;
    }
    const decode = (bytes: Uint8Array): Linked => {
      const first: Linked = {};
      let last = first;
      for (let depth = Buffer.from(bytes).readInt32LE(); depth > 0; depth--) {
        last.next = {};
        last = last.next;
      }
      last.next = first;
      return first;
    };
    const source = createDataSourceRegistry().register(
      sourceOf<Linked>(() => Promise.resolve({})),
      { codec: { encode: () => Buffer.from([0xa0, 0x86, 1, 0]), decode } },
    );
    const data = await source.get("k");
    expect(Object.isFrozen(data?.next?.next)).toBe(true);
    expect(await source.get("k")).toBe(await source.get("k"));
  });

  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("cannot write");
      },
    ],
    ["gives text", () => "text"],
    ["gives nothing", () => undefined],
    ["gives an array", () => [1, 2]],
    ["gives a promise", () => Promise.resolve(new Uint8Array())],
  ])("I8 that %s when it should write bytes: CODEC_FAILED, nothing kept", async (_, encode) => {
    const source = createDataSourceRegistry().register(
      sourceOf(() => Promise.resolve("v")),
      { codec: { encode: encode as () => Uint8Array, decode: () => "v" } },
    );
    await expect(source.get("k")).rejects.toMatchObject({ code: "CODEC_FAILED" });
    expect(source.stats().main.items).toBe(0);
    expectBalance(source.stats());
  });

  it("I8 that fails to decode rejects get and peek with CODEC_FAILED", async () => {
    const source = createDataSourceRegistry().register(
      sourceOf(() => Promise.resolve("v")),
      {
        codec: {
          encode: () => Buffer.from("x"),
          decode: () => {
            throw new Error("cannot read");
          },
        },
      },
    );
    const failed = {
      code: "CODEC_FAILED",
      message: expect.stringContaining("s: cannot decode the value"),
    };
    await expect(source.get("k")).rejects.toMatchObject(failed);
    await expect(source.get("k")).rejects.toMatchObject(failed);
    expect(() => source.peek("k")).toThrow(expect.objectContaining(failed));
    expectBalance(source.stats());
  });
});
