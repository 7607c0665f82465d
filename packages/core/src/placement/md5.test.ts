import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMd5 } from "./md5.ts";

const md5 = createMd5();

function hexOf(text: string): string {
  return Buffer.from(md5(text).slice().buffer).toString("hex");
}

describe("md5", () => {
  it.each([
    ["", "d41d8cd98f00b204e9800998ecf8427e"],
    ["abc", "900150983cd24fb0d6963f7d28e17f72"],
    ["message digest", "f96b697d7cb7938d525a2f31aaf161d0"],
  ])("of %j is that of RFC 1321", (text, hash) => {
    expect(hexOf(text)).toBe(hash);
  });

  it("agrees with node:crypto on any text of up to several blocks", () => {
    const check = (text: string): void => {
      expect(hexOf(text)).toBe(createHash("md5").update(text).digest("hex"));
    };
    for (let length = 0; length < 200; length++) check("x".repeat(length));
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), check));
  });
});
