import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesCodec, jsonCodec, textCodec } from "./codec.ts";

/** The bytes as a view of a larger buffer, as in the cache's memory. */
function amidOthers(bytes: Uint8Array): Uint8Array {
  const larger = new Uint8Array(bytes.length + 20).fill(0x7b);
  larger.set(bytes, 10);
  return larger.subarray(10, 10 + bytes.length);
}

describe("jsonCodec", () => {
  const codec = jsonCodec<unknown>();

  it("decodes everything that JSON can express, from any view", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        expect(codec.decode(amidOthers(codec.encode(value)))).toEqual(plain);
        expect(codec.decode(Buffer.from(codec.encode(value)))).toEqual(plain);
      }),
    );
  });

  it("returns new data on each call", () => {
    const bytes = codec.encode({ a: [] });
    expect(codec.decode(bytes)).not.toBe(codec.decode(bytes));
  });

  it.each([
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["undefined", undefined],
    ["a bigint", 1n],
    ["an object whose toJSON throws", { toJSON: (): never => expect.unreachable() }],
  ])("refuses %s", (_, value) => {
    expect(() => codec.encode(value)).toThrow();
  });

  it("rejects cyclic data", () => {
    const value: { self?: unknown } = {};
    value.self = value;
    expect(() => codec.encode(value)).toThrow(TypeError);
  });

  it.each(["", "{", "nonsense", "\u0000", '{"a":1}x'])("refuses the bytes of %j", (text) => {
    expect(() => codec.decode(Buffer.from(text))).toThrow(SyntaxError);
  });
});

describe("bytesCodec", () => {
  it("returns a copy to each reader", () => {
    const stored = amidOthers(Uint8Array.of(1, 2, 3));
    const one = bytesCodec.decode(stored);
    const other = bytesCodec.decode(stored);
    one.fill(9);
    expect([...other]).toEqual([1, 2, 3]);
    expect([...stored]).toEqual([1, 2, 3]);
    expect(one.buffer.byteLength).toBe(3);
  });

  it("returns a plain Uint8Array for a Buffer as well", () => {
    const stored = Buffer.from("abc");
    const read = bytesCodec.decode(stored);
    stored.fill(0);
    expect(Buffer.from(read).toString()).toBe("abc");
  });
});

describe("textCodec", () => {
  it("decodes any well-formed text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(textCodec.decode(amidOthers(textCodec.encode(text)))).toBe(text);
      }),
    );
  });

  it("rejects values other than strings", () => {
    expect(() => textCodec.encode(5 as unknown as string)).toThrow(TypeError);
  });
});
