import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalKey, keyFromBytes, keyToBytes, wireTag } from "./key-bytes.ts";

const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  // Valid text with single bytes broken, where decoders are most likely to differ.
  fc
    .tuple(fc.string({ unit: "grapheme", minLength: 1, maxLength: 10 }), fc.nat(), fc.nat(255))
    .map(([text, at, byte]) => {
      const bytes = Uint8Array.from(Buffer.from(text, "utf8"));
      bytes[at % bytes.length] = byte;
      return bytes;
    }),
);

/** Any sequence of UTF-16 code units, lone surrogates included. */
const anyString = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc
    .array(
      fc.oneof(fc.integer({ min: 0xd700, max: 0xe0ff }), fc.integer({ min: 0, max: 0xffff })),
      {
        maxLength: 20,
      },
    )
    .map((units) => String.fromCharCode(...units)),
);

describe("keyToBytes and keyFromBytes", () => {
  it("map every byte string to a key and back", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(Buffer.from(keyToBytes(keyFromBytes(bytes))).equals(bytes)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it("never map two byte strings to the same key", () => {
    const bytesByKey = new Map<string, string>();
    for (let first = 0; first < 256; first++) {
      for (let second = 0; second < 256; second++) {
        for (const bytes of [[first], [first, second], [0xe2, first, second]]) {
          const hex = Buffer.from(bytes).toString("hex");
          const key = keyFromBytes(Uint8Array.from(bytes));
          if ((bytesByKey.get(key) ?? hex) !== hex) expect.unreachable(`${hex} has a double`);
          bytesByKey.set(key, hex);
        }
      }
    }
  });

  it("use UTF-8 for valid text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(Buffer.from(keyToBytes(text)).toString("hex")).toBe(
          Buffer.from(text, "utf8").toString("hex"),
        );
        expect(keyFromBytes(Buffer.from(text, "utf8"))).toBe(text);
      }),
    );
  });

  it.each([
    ["", ""],
    ["a b+c/%", "6120622b632f25"],
    ["日本", "e697a5e69cac"],
    ["\u{1f600}", "f09f9880"],
    ["\ufffd", "efbfbd"],
    ["\ufeffa", "efbbbf61"],
    ["\0", "00"],
    ["\udcff\udcfe", "fffe"],
    ["a\udc80b", "618062"],
    // An overlong slash, a surrogate written as UTF-8, a sequence cut short, a code point too large.
    ["\udcc0\udcaf", "c0af"],
    ["\udced\udca0\udc80", "eda080"],
    ["x\udce2\udc82", "78e282"],
    ["\udcf4\udc90\udc80\udc80", "f4908080"],
  ])("%j is written %s", (key, hex) => {
    expect(Buffer.from(keyToBytes(key)).toString("hex")).toBe(hex);
    expect(keyFromBytes(Buffer.from(hex, "hex"))).toBe(key);
  });

  it("agree with Node's strict decoder about valid sequences", () => {
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        let text: string | undefined;
        try {
          text = strict.decode(bytes);
        } catch {
          text = undefined;
        }
        const key = keyFromBytes(bytes);
        if (text === undefined) expect(key).toMatch(/\p{Surrogate}/u);
        else expect(key).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  it("read a view of a larger buffer", () => {
    const larger = Buffer.from("xx\xff日xx", "latin1");
    expect(keyFromBytes(larger.subarray(2, 3))).toBe("\udcff");
  });
});

describe("canonicalKey", () => {
  it("is the key that a peer decodes, and idempotent", () => {
    fc.assert(
      fc.property(anyString, (key) => {
        const canonical = canonicalKey(key);
        expect(canonical).toBe(keyFromBytes(keyToBytes(key)));
        expect(canonicalKey(canonical)).toBe(canonical);
      }),
      { numRuns: 2000 },
    );
  });

  it("is equal for two keys exactly if their bytes are equal", () => {
    fc.assert(
      fc.property(anyString, anyString, (one, other) => {
        const sameBytes = Buffer.from(keyToBytes(one)).equals(keyToBytes(other));
        expect(canonicalKey(one) === canonicalKey(other)).toBe(sameBytes);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ["plain", "plain"],
    ["\u{1f600}", "\u{1f600}"],
    ["\udcff", "\udcff"],
    // Surrogates that form valid UTF-8 become that text.
    ["\udcc3\udca9", "é"],
    // Other surrogates become the replacement character, as in every encoder.
    ["a\ud83d", "a\ufffd"],
    ["\udc7f", "\ufffd"],
  ])("of %j is %j", (key, canonical) => {
    expect(canonicalKey(key)).toBe(canonical);
  });
});

describe("wireTag", () => {
  it("is distinct for distinct tags, also as bytes, and equal for tags without lone surrogates", () => {
    fc.assert(
      fc.property(anyString, anyString, (one, other) => {
        const [a, b] = [wireTag(one), wireTag(other)];
        expect(a === b).toBe(one === other);
        expect(keyFromBytes(keyToBytes(a))).toBe(a);
      }),
      { numRuns: 2000 },
    );
    expect(["", "user:1", "é", "\u{1f600}"].map(wireTag)).toEqual(["", "user:1", "é", "\u{1f600}"]);
    const similar = ["\ud83d", "\ufffd", "\ufffdd83d", "\ufffdfffdd83d", "\udcc3\udca9"];
    expect(new Set(similar.map(wireTag)).size).toBe(similar.length);
  });
});
