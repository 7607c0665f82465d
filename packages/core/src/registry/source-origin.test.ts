import { describe, expect, it, vi } from "vitest";
import { ParsecError } from "../errors.ts";
import { absentTag } from "../invalidation/absent-tag.ts";
import type { DataSource } from "./data-source.ts";
import { sourceOrigin } from "./source-origin.ts";

interface Input {
  readonly id: string;
}

function newSource(parts: Partial<DataSource<Input, string>> = {}): DataSource<Input, string> {
  return {
    name: "users",
    cacheKey: ({ id }) => id,
    fetch: ({ id }) => Promise.resolve(`data of ${id}`),
    ...parts,
  };
}

function contextWith(input: string | undefined) {
  return {
    input: input === undefined ? undefined : Buffer.from(input),
    signal: new AbortController().signal,
  };
}

describe("sourceOrigin", () => {
  it("fetches for the decoded input and returns encoded data", async () => {
    const origin = sourceOrigin(newSource(), {});
    const bytes = await origin.load("a", contextWith('{"id":"a"}'));
    expect(Buffer.from(bytes ?? []).toString()).toBe('"data of a"');
    expect(origin.decode(bytes ?? new Uint8Array())).toBe("data of a");
  });

  it("rejects an input whose key is not the requested one", async () => {
    const fetch = vi.fn(newSource().fetch);
    const origin = sourceOrigin(newSource({ fetch }), {});
    await expect(origin.load("a", contextWith('{"id":"b"}'))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("another cacheKey"),
    });
    expect(fetch).not.toHaveBeenCalled();
  });

  it.each(['{"id":', "", "nonsense", '"\u0000', "\ufeff{}"])(
    "I9 rejects the input %j of a peer, which is not JSON",
    async (input) => {
      const origin = sourceOrigin(newSource(), {});
      await expect(origin.load("a", contextWith(input))).rejects.toMatchObject({
        code: "CODEC_FAILED",
        message: "users: the input is not valid JSON",
      });
    },
  );

  it.each(["null", "5", "[]", '{"id":7}', '"a"'])(
    "I9 rejects the input %s of a peer, which does not fit the data source",
    async (input) => {
      const fetch = vi.fn(newSource().fetch);
      const origin = sourceOrigin(newSource({ fetch }), {});
      await expect(origin.load("a", contextWith(input))).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
      expect(fetch).not.toHaveBeenCalled();
    },
  );

  describe("for a request with a key alone, as of Go's groupcache", () => {
    it("rebuilds the input with inputFromKey", async () => {
      const origin = sourceOrigin(newSource({ inputFromKey: (id) => ({ id }) }), {});
      const bytes = await origin.load("a", contextWith(undefined));
      expect(Buffer.from(bytes ?? []).toString()).toBe('"data of a"');
    });

    it("fails without inputFromKey and names it", async () => {
      const origin = sourceOrigin(newSource(), {});
      await expect(origin.load("a", contextWith(undefined))).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("inputFromKey"),
      });
    });

    it("I5 wraps an exception of inputFromKey as ORIGIN_FAILED", async () => {
      const cause = new ParsecError("PEER_UNREACHABLE", "of another cache");
      const inputFromKey = (): Input => {
        throw cause;
      };
      const origin = sourceOrigin(newSource({ inputFromKey }), {});
      await expect(origin.load("a", contextWith(undefined))).rejects.toMatchObject({
        code: "ORIGIN_FAILED",
        cause,
      });
    });

    it("rejects an input of another key", async () => {
      const origin = sourceOrigin(newSource({ inputFromKey: () => ({ id: "always" }) }), {});
      await expect(origin.load("a", contextWith(undefined))).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    });
  });

  it("encodes the input as JSON, reduced by cacheInput", () => {
    const origin = sourceOrigin(newSource({ cacheInput: ({ id }) => ({ id }) }), {});
    const input = { id: "a", secret: "not needed" };
    expect(Buffer.from(origin.encodeInput(input) ?? []).toString()).toBe('{"id":"a"}');
  });

  it("fails with CODEC_FAILED when cacheInput throws", () => {
    const origin = sourceOrigin(
      newSource({
        cacheInput: () => {
          throw new Error("no");
        },
      }),
      {},
    );
    expect(() => origin.encodeInput({ id: "a" })).toThrow(
      expect.objectContaining({ code: "CODEC_FAILED" }),
    );
  });

  it("computes tags from the decoded input and the data", () => {
    const origin = sourceOrigin(newSource(), { tags: ({ id }, data) => [id, data] });
    const entry = { key: "a", input: Buffer.from('{"id":"a"}'), value: Buffer.from('"x"') };
    expect(origin.tags(entry)).toEqual(["a", "x"]);
    expect(origin.tags({ ...entry, value: undefined })).toEqual([absentTag]);
    expect(sourceOrigin(newSource(), {}).tags(entry)).toEqual([]);
  });
});
