import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashKey } from "./key-hash.ts";

describe("hashKey", () => {
  // Placement depends on these numbers: a changed value would change owners.
  it.each([
    ["", -1421968373],
    ["a", 444641715],
    ["user:12345", 799144774],
    ["日本", 236567117],
    ["\udcff", -803287431],
  ])("of %j stays what it is", (key, hash) => {
    expect(hashKey(key)).toBe(hash);
  });

  it("is a signed 32-bit integer that depends on the text alone", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff), { maxLength: 40 }), (units) => {
        const key = String.fromCharCode(...units);
        const hash = hashKey(key);
        expect(hash).toBe(hash | 0);
        expect(hashKey(Buffer.from(key, "utf16le").toString("utf16le"))).toBe(hash);
      }),
    );
  });

  it("spreads keys that differ in their last digits evenly over its low 12 bits", () => {
    const counts = new Uint32Array(4096);
    const perCell = 64;
    for (let index = 0; index < 4096 * perCell; index++) {
      const cell = hashKey(`user:${index}`) & 4095;
      counts[cell] = (counts[cell] as number) + 1;
    }
    // An even spread would give a standard deviation of 8 around 64.
    let squares = 0;
    for (const count of counts) squares += (count - perCell) ** 2;
    expect(Math.sqrt(squares / counts.length)).toBeLessThan(12);
    expect(Math.max(...counts)).toBeLessThan(2 * perCell);
  });
});
