import { describe, expect, it, vi } from "vitest";
import { LoadedValue } from "./loaded-value.ts";

const bytes = Buffer.from('{"a":[1]}');

function parse(stored: Uint8Array): { a: number[] } {
  return JSON.parse(Buffer.from(stored).toString()) as { a: number[] };
}

describe("Loaded", () => {
  it("decodes once for all who waited, and hands out frozen data", () => {
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

  it("decodes for each caller what freezing does not protect", () => {
    const loaded = new LoadedValue<Date>(bytes, 1);
    const decoder = { decode: () => new Date(0), shared: true };
    expect(loaded.open(decoder)).not.toBe(loaded.open(decoder));
  });

  it("decodes for each caller, and leaves it theirs, when the decoder says so", () => {
    const loaded = new LoadedValue<{ a: number[] }>(bytes, 1);
    const one = loaded.open({ decode: parse, shared: false });
    one?.a.push(2);
    expect(loaded.open({ decode: parse, shared: false })).toEqual({ a: [1] });
  });

  it("opens to undefined, without decoding, where the origin has none", () => {
    const decode = vi.fn(parse);
    expect(new LoadedValue(undefined, 1).open({ decode, shared: true })).toBeUndefined();
    expect(decode).not.toHaveBeenCalled();
  });

  it("shares null and false as any other value", () => {
    const decode = vi.fn(() => null);
    const loaded = new LoadedValue<null>(bytes, 1);
    expect([loaded.open({ decode, shared: true }), loaded.open({ decode, shared: true })]).toEqual([
      null,
      null,
    ]);
    expect(decode).toHaveBeenCalledTimes(1);
  });
});
