import { describe, expect, it, vi } from "vitest";
import { expectBalance } from "../../test/one-group.ts";
import { holdingItself, sourceOf } from "../../test/sources.ts";
import { createDataSourceRegistry } from "./registry.ts";

describe("the input", () => {
  it("is decoded from JSON on a single node as well", async () => {
    const seen: unknown[] = [];
    const source = createDataSourceRegistry().register({
      name: "s",
      cacheKey: (input: { at: Date | string; extra?: undefined }) =>
        new Date(input.at).toISOString(),
      fetch: (input) => {
        seen.push(input);
        return Promise.resolve("v");
      },
    });
    const given = { at: new Date(0), extra: undefined };
    await source.get(given);
    expect(seen).toEqual([{ at: "1970-01-01T00:00:00.000Z" }]);
    expect(Object.keys(seen[0] as object)).toEqual(["at"]);
  });

  it("is reduced by cacheInput", async () => {
    const fetch = vi.fn((_: { id: string; token?: string }) => Promise.resolve("v"));
    const source = createDataSourceRegistry().register({
      name: "s",
      cacheKey: (input: { id: string; token?: string }) => input.id,
      cacheInput: ({ id }) => ({ id }),
      fetch,
    });
    await source.get({ id: "a", token: "secret" });
    expect(fetch.mock.calls[0]?.[0]).toEqual({ id: "a" });
  });

  it("is rejected with a hint when cacheInput drops a field that cacheKey reads", async () => {
    const fetch = vi.fn(() => Promise.resolve("v"));
    const source = createDataSourceRegistry().register({
      name: "s",
      cacheKey: (input: { id: string; locale?: string }) => `${input.id}:${input.locale ?? "en"}`,
      cacheInput: ({ id }) => ({ id }),
      fetch,
    });
    await expect(source.get({ id: "a", locale: "de" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("cacheInput must keep every field that cacheKey reads"),
    });
    expect(fetch).not.toHaveBeenCalled();
    expect(await source.get({ id: "a" })).toBe("v");
    expectBalance(source.stats());
  });

  it("is rejected when a field that cacheKey reads does not survive JSON", async () => {
    const source = createDataSourceRegistry().register({
      name: "s",
      cacheKey: (input: { at: Date }) => String(input.at.getTime()),
      fetch: () => Promise.resolve("v"),
    });
    await expect(source.get({ at: new Date(0) })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("survives JSON"),
    });
  });

  it("may be undefined for a data source without input", async () => {
    const source = createDataSourceRegistry().register({
      name: "s",
      cacheKey: (_input: undefined) => "all",
      fetch: (input) => Promise.resolve(`got ${input}`),
    });
    expect(await source.get(undefined)).toBe("got null");
  });

  it.each([
    ["a bigint", { id: "a", big: 1n }],
    ["what holds itself", Object.assign(holdingItself(), { id: "a" })],
  ])("with %s cannot be written: CODEC_FAILED", async (_, input) => {
    const source = createDataSourceRegistry().register({
      name: "s",
      cacheKey: (given: { id: string }) => given.id,
      fetch: () => Promise.resolve("v"),
    });
    await expect(source.get(input)).rejects.toMatchObject({ code: "CODEC_FAILED" });
    expectBalance(source.stats());
  });

  it("I8 whose cacheKey throws or returns no string fails with INVALID_KEY in every method", async () => {
    const throwing = (): string => {
      throw new Error("no key");
    };
    for (const cacheKey of [throwing, () => 5 as unknown as string]) {
      const source = createDataSourceRegistry().register({
        name: "s",
        cacheKey,
        fetch: () => Promise.resolve("v"),
      });
      await expect(source.get("x")).rejects.toMatchObject({ code: "INVALID_KEY" });
      await expect(source.getMany(["x", "y"])).rejects.toMatchObject({ code: "INVALID_KEY" });
      await expect(source.invalidate("x")).rejects.toMatchObject({ code: "INVALID_KEY" });
      if (cacheKey === throwing) {
        expect(() => source.peek("x")).toThrow(expect.objectContaining({ code: "INVALID_KEY" }));
      } else {
        expect(source.peek("x")).toBeUndefined();
      }
      expect(source.stats().gets).toBe(0);
    }
  });

  it("may have a key with a lone surrogate, such as half an emoji", async () => {
    const fetch = vi.fn((input: string) => Promise.resolve(input.length));
    const source = createDataSourceRegistry().register(sourceOf(fetch));
    expect(await source.get("a\ud83d")).toBe(2);
    expect(await source.get("a\ud83d")).toBe(2);
    expect(source.peek("a\ud83d")).toBe(2);
    expect(fetch).toHaveBeenCalledTimes(1);
  });
});
