import { describe, expect, it, vi } from "vitest";
import { expectBalance } from "../../test/one-group.ts";
import { holdingItself } from "../../test/sources.ts";
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
    // As the source would see it without a cache; null would be another input.
    expect(await source.get(undefined)).toBe("got undefined");
  });

  it("may be left out where cacheKey and fetch have a default for it", async () => {
    const pages = createDataSourceRegistry().register<{ page: number } | undefined, string>({
      name: "pages",
      cacheKey: ({ page } = { page: 1 }) => String(page),
      fetch: async ({ page } = { page: 1 }) => `page ${page}`,
    });
    expect(await pages.get(undefined)).toBe("page 1");
    expect(await pages.get({ page: 2 })).toBe("page 2");
  });

  it("whose keys have lone surrogates are refused: as bytes they would be another key", async () => {
    const source = createDataSourceRegistry().register({
      name: "s",
      cacheKey: (id: string) => id,
      fetch: async (id) => `data of ${id}`,
    });
    for (const id of ["jos\udcc3\udca9", "hi \ud83d", "hi \ud840", "\udc7f"]) {
      await expect(source.get(id)).rejects.toMatchObject({
        code: "INVALID_KEY",
        message: `datasource:s: key must not have lone surrogates, such as half an emoji, got ${JSON.stringify(id)}`,
      });
      await expect(source.getMany(["a", id])).rejects.toMatchObject({ code: "INVALID_KEY" });
      await expect(source.invalidate(id)).rejects.toMatchObject({ code: "INVALID_KEY" });
      expect(source.peek(id)).toBeUndefined();
    }
    for (const id of ["josé", "hi \ufffd", "hi \u{1f600}"]) {
      expect(await source.get(id)).toBe(`data of ${id}`);
    }
  });

  it("with lone surrogates reach fetch unchanged", async () => {
    const source = createDataSourceRegistry().register({
      name: "s",
      cacheKey: ({ text }: { text: string }) => JSON.stringify(text),
      fetch: async ({ text }) => text.length,
    });
    expect(await source.getMany([{ text: "\ud83d" }, { text: "\udcc3\udca9" }])).toEqual([1, 2]);
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
});
