import { describe, expect, it, vi } from "vitest";
import { LoadedValue } from "./loaded-value.ts";

const bytes = Buffer.from('{"a":[1]}');

function parse(stored: Uint8Array): { a: number[] } {
  return JSON.parse(Buffer.from(stored).toString()) as { a: number[] };
}

describe("LoadedValue", () => {
  it("decodes once for all waiters and returns frozen data", () => {
    const decode = vi.fn(parse);
    const loaded = new LoadedValue<{ a: number[] }>(bytes, 1);
    const [one, other] = [
      loaded.open({ decode, shared: true }),
      loaded.open({ decode, shared: true }),
    ];
    expect(one).toBe(other);
    expect(one).toEqual({ a: [1] });
    expect(() => one?.a.push(2)).toThrow(TypeError);
    expect(decode).toHaveBeenCalledTimes(1);
  });

  it("decodes data that freezing does not protect for each caller", () => {
    const loaded = new LoadedValue<Date>(bytes, 1);
    const decoder = { decode: () => new Date(0), shared: true };
    expect(loaded.open(decoder)).not.toBe(loaded.open(decoder));
  });

  it("decodes unfrozen data for each caller when the decoder is not shared", () => {
    const loaded = new LoadedValue<{ a: number[] }>(bytes, 1);
    const one = loaded.open({ decode: parse, shared: false });
    one?.a.push(2);
    expect(loaded.open({ decode: parse, shared: false })).toEqual({ a: [1] });
  });

  it("returns undefined without decoding when the origin has no value", () => {
    const decode = vi.fn(parse);
    expect(new LoadedValue(undefined, 1).open({ decode, shared: true })).toBeUndefined();
    expect(decode).not.toHaveBeenCalled();
  });

  it("shares null and false like any other value", () => {
    const decode = vi.fn(() => null);
    const loaded = new LoadedValue<null>(bytes, 1);
    expect([loaded.open({ decode, shared: true }), loaded.open({ decode, shared: true })]).toEqual([
      null,
      null,
    ]);
    expect(decode).toHaveBeenCalledTimes(1);
  });
});
