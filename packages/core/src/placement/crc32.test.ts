import zlib from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32 } from "./crc32.ts";

describe("crc32", () => {
  it.each([
    ["", 0x00000000],
    ["123456789", 0xcbf43926],
    ["The quick brown fox jumps over the lazy dog", 0x414fa339],
    ["0http://10.0.0.1:8080", 0x7c959a77],
    ["user:12345", 0x710e5fad],
    ["日本", 0xc7b7cdcc],
  ])("of %j is the IEEE checksum, unsigned", (text, checksum) => {
    expect(crc32(Buffer.from(text, "utf8"))).toBe(checksum);
  });

  it("accepts all byte values and views of larger buffers", () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    expect(crc32(bytes)).toBe(0x29058c73);
    const larger = Buffer.from("xx123456789xx");
    expect(crc32(larger.subarray(2, 11))).toBe(0xcbf43926);
    expect(crc32(Uint8Array.of(0xff, 0xfe))).toBe(0x88f83096);
  });

  // Node has crc32 since 20.15 and 22.2.
  it.skipIf(zlib.crc32 === undefined)("agrees with zlib on any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        expect(crc32(bytes)).toBe(zlib.crc32(bytes));
      }),
    );
  });
});
