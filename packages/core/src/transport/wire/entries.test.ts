import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isParsecError } from "../../errors.ts";
import { canonicalKey } from "../../key-bytes.ts";
import type { PeerEntry } from "../../peer.ts";
import { decodeEntries, encodeEntries } from "./entries.ts";
import { resolveFrameLimits } from "./limits.ts";

const limits = resolveFrameLimits();

function entryOf(key: string, over: Partial<PeerEntry> = {}): PeerEntry {
  return {
    key,
    value: Buffer.from("v"),
    ttlMs: Number.POSITIVE_INFINITY,
    tags: [],
    fence: 0,
    ...over,
  };
}

function encode(entries: readonly PeerEntry[], overrides: Partial<typeof limits> = {}): Buffer {
  const part = { group: "g", ticket: 5, entries };
  return encodeEntries({ frameId: 7, sender: 1, part }, resolveFrameLimits(overrides));
}

function keysIn(frame: Buffer): string[] {
  return decodeEntries(frame, limits).part.entries.map(({ key }) => key);
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isParsecError(error)) return error.code;
    throw error;
  }
  return "none";
}

const anyText = fc.string({ unit: "binary", maxLength: 90 }).map(canonicalKey);
const anyEntry: fc.Arbitrary<PeerEntry> = fc.record({
  key: anyText,
  value: fc.option(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    { nil: undefined },
  ),
  ttlMs: fc.oneof(
    fc.constant(Number.POSITIVE_INFINITY),
    fc.constant(0),
    fc.nat().map((n) => n / 8),
  ),
  tags: fc.array(anyText, { maxLength: 4 }),
  fence: fc.oneof(fc.constant(0), fc.maxSafeNat()),
});

describe("a frame of entries", () => {
  it("has exactly these bytes", () => {
    const frame = encode([
      entryOf("a"),
      entryOf("é", { value: Buffer.from("hi"), ttlMs: 1, fence: 2, tags: ["t", ""] }),
      entryOf("none", { value: undefined, ttlMs: 0 }),
    ]);
    expect(frame.toString("hex")).toBe(
      [
        "50010500" + "07000000" + "000000000000f03f" + "0300",
        "0000000000001440" + "0100" + "67",
        "04" + "01000000" + "0000" + "01000000" + "61" + "76",
        "07" + "02000000" + "0200" + "000000000000f03f" + "0000000000000040" + "02000000",
        "c3a9" + "0100" + "74" + "0000" + "6869",
        "01" + "04000000" + "0000" + "0000000000000000" + "6e6f6e65",
      ].join(""),
    );
  });

  it("is decoded to what was encoded", () => {
    fc.assert(
      fc.property(
        fc.array(anyEntry, { maxLength: 12 }),
        anyText,
        fc.maxSafeNat(),
        (entries, group, ticket) => {
          const frame = { frameId: 9, sender: 3, part: { group, ticket, entries } };
          expect(decodeEntries(encodeEntries(frame, limits), limits)).toEqual(frame);
        },
      ),
    );
  });

  it("is rejected when truncated anywhere or followed by more bytes", () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { minLength: 1, maxLength: 4 }), fc.nat(), (entries, at) => {
        const frame = encode(entries);
        const cut = frame.subarray(0, at % frame.length);
        expect(codeOf(() => decodeEntries(cut, limits))).toBe("MALFORMED_FRAME");
        const longer = Buffer.concat([frame, Buffer.from([0])]);
        expect(codeOf(() => decodeEntries(longer, limits))).toBe("MALFORMED_FRAME");
      }),
    );
  });

  it("throws typed errors only, for any bytes", () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 4 }), fc.nat(), fc.nat(255), (all, at, byte) => {
        const frame = encode(all);
        frame[at % frame.length] = byte;
        expect(["none", "MALFORMED_FRAME", "FRAME_TOO_LARGE"]).toContain(
          codeOf(() => decodeEntries(frame, limits)),
        );
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(codeOf(() => decodeEntries(bytes, limits))).toBe("MALFORMED_FRAME");
      }),
    );
  });

  it.each([
    ["maxLookups", { maxLookups: 1 }, [entryOf("a"), entryOf("b")]],
    ["maxKeyBytes", { maxKeyBytes: 2 }, [entryOf("abc")]],
    ["maxKeyBytes", { maxKeyBytes: 2 }, [entryOf("a", { tags: ["abc"] })]],
    ["maxValueBytes", { maxValueBytes: 2 }, [entryOf("a", { value: Buffer.from("abc") })]],
    [
      "maxFrameBytes",
      { maxFrameBytes: 100, maxKeyBytes: 9, maxInputBytes: 9, maxGroupBytes: 9 },
      [entryOf("a", { value: Buffer.alloc(100) })],
    ],
  ])("is refused beyond %s, by the name of the limit", (name, overrides, entries) => {
    const frame = encode(entries);
    expect(() => decodeEntries(frame, resolveFrameLimits(overrides))).toThrow(name);
    expect(codeOf(() => decodeEntries(frame, resolveFrameLimits(overrides)))).toBe(
      "FRAME_TOO_LARGE",
    );
  });

  it("is neither sent nor accepted beyond maxGroupBytes", () => {
    const frame = encode([]);
    const strict = resolveFrameLimits({ maxGroupBytes: 1 });
    expect(decodeEntries(frame, strict).part.group).toBe("g");
    const part = { group: "long", ticket: 0, entries: [] };
    const long = encodeEntries({ frameId: 1, sender: 1, part }, limits);
    expect(() => decodeEntries(long, strict)).toThrow("maxGroupBytes");
    expect(codeOf(() => encodeEntries({ frameId: 1, sender: 1, part }, strict))).toBe(
      "FRAME_TOO_LARGE",
    );
  });

  it("omits only entries that a receiver with these limits would reject", () => {
    const big = entryOf("big", { value: Buffer.alloc(3000) });
    const all = [
      entryOf("a"),
      entryOf("key that is too long"),
      entryOf("tag", { tags: ["tag that is too long"] }),
      entryOf("value", { value: Buffer.alloc(3001) }),
      big,
      entryOf("b"),
    ];
    const overrides = { maxKeyBytes: 10, maxValueBytes: 3000 };
    expect(keysIn(encode(all, overrides))).toEqual(["a", "big", "b"]);
    expect(keysIn(encode(all, { ...overrides, maxLookups: 2 }))).toEqual(["a", "big"]);
    const small = { ...overrides, maxInputBytes: 1, maxGroupBytes: 1, maxFrameBytes: 2000 };
    expect(keysIn(encode(all, small))).toEqual(["a", "b"]);
    const manyTags = Array.from({ length: 0x10000 }, () => "");
    expect(keysIn(encode([entryOf("a", { tags: manyTags }), entryOf("b")]))).toEqual(["b"]);
  });

  it("that announces 65,535 entries in forty bytes is rejected before allocation", () => {
    const frame = encode([entryOf("a")]);
    frame.writeUInt16LE(0xffff, 16);
    const generous = resolveFrameLimits({ maxLookups: 0xffff });
    expect(() => decodeEntries(frame, generous)).toThrow("no room");
  });

  it.each([
    ["another magic", 0, 0x51],
    ["another version", 1, 2],
    ["another kind", 2, 1],
    ["a ticket that is not a whole number", 18, 1],
    ["an unknown flag", 29, 0x08],
  ])("is refused for %s", (_, offset, byte) => {
    const frame = encode([entryOf("a")]);
    frame[offset] = byte;
    expect(codeOf(() => decodeEntries(frame, limits))).toBe("MALFORMED_FRAME");
  });

  it("is rejected for a time to live below 0 or a fence that is not a whole number", () => {
    for (const over of [{ ttlMs: -1 }, { ttlMs: Number.NaN }, { fence: 0.5 }, { fence: -1 }]) {
      expect(codeOf(() => decodeEntries(encode([entryOf("a", over)]), limits))).toBe(
        "MALFORMED_FRAME",
      );
    }
  });
});
