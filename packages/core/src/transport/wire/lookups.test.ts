import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isParsecError } from "../../errors.ts";
import { canonicalKey } from "../../key-bytes.ts";
import type { PeerLookup, PeerTrace } from "../../peer.ts";
import { ByteWriter } from "./byte-writer.ts";
import { resolveFrameLimits } from "./limits.ts";
import { decodeLookups, LookupFrameWriter } from "./lookups.ts";

const limits = resolveFrameLimits();

function writerWith(overrides: Parameters<typeof resolveFrameLimits>[0] = {}): LookupFrameWriter {
  return new LookupFrameWriter(new ByteWriter(16), {
    limits: resolveFrameLimits(overrides),
    sender: 1,
  });
}

function encode(lookups: readonly PeerLookup[], frameId = 7): Buffer {
  const writer = writerWith();
  writer.begin(frameId);
  for (const lookup of lookups) expect(writer.add(lookup, lookup.timeoutMs)).toBe(true);
  return writer.finish();
}

function plain(key: string, group = "g"): PeerLookup {
  return { group, key, input: undefined, fence: 0, timeoutMs: 1000 };
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

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const anyTrace: fc.Arbitrary<PeerTrace> = fc.record({
  traceparent: fc.constant(traceparent),
  tracestate: fc.option(
    fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 512, size: "max" }),
    { nil: undefined },
  ),
});

const anyUntraced: fc.Arbitrary<PeerLookup> = fc.record({
  group: fc.constantFrom("datasource:users", "ü", "", "third"),
  key: fc
    .oneof(fc.string({ unit: "binary", maxLength: 90 }), fc.string({ unit: "binary-ascii" }))
    .map(canonicalKey),
  input: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined }),
  fence: fc.oneof(fc.constant(0), fc.maxSafeNat()),
  timeoutMs: fc.integer({ min: 0, max: 0xffffffff }),
  memoryOnly: fc.boolean(),
});
const anyLookup: fc.Arbitrary<PeerLookup> = fc
  .tuple(anyUntraced, fc.option(anyTrace, { nil: undefined }))
  .map(([lookup, trace]) => (trace === undefined ? lookup : { ...lookup, trace }));

describe("a frame of lookups", () => {
  it("has exactly these bytes", () => {
    const frame = encode([
      plain("a b"),
      { group: "g", key: "é", input: Uint8Array.of(1, 2), fence: 3, timeoutMs: 258 },
      { ...plain("", "h"), memoryOnly: true },
    ]);
    expect(frame.toString("hex")).toBe(
      [
        "50010100" + "07000000" + "000000000000f03f" + "0300",
        "04" + "0000" + "e8030000" + "03000000" + "0100" + "67" + "612062",
        "03" + "0000" + "02010000" + "02000000" + "0000000000000840" + "02000000" + "c3a9" + "0102",
        "0c" + "0100" + "e8030000" + "00000000" + "0100" + "68",
      ].join(""),
    );
  });

  it("carries keys that are not UTF-8", () => {
    const key = "\udcff\udcfe";
    const frame = encode([plain(key)]);
    expect(frame.subarray(-2)).toEqual(Buffer.from([0xff, 0xfe]));
    expect(decodeLookups(frame, limits).lookups[0]?.key).toBe(key);
  });

  it("is decoded to what was encoded", () => {
    fc.assert(
      fc.property(fc.array(anyLookup, { maxLength: 20 }), fc.nat(0xffffffff), (lookups, id) => {
        const decoded = decodeLookups(encode(lookups, id), limits);
        expect(decoded.frameId).toBe(id);
        expect(decoded.sender).toBe(1);
        const seen = decoded.lookups.map((lookup) => ({
          ...lookup,
          input: lookup.input && Uint8Array.from(lookup.input),
        }));
        expect(seen).toEqual(lookups);
      }),
    );
  });

  it("contains a group name once for many lookups", () => {
    const one = encode([plain("k", "datasource:users")]).length;
    const two = encode([plain("k", "datasource:users"), plain("k", "datasource:users")]).length;
    expect(two - one).toBe(12);
  });

  it("is rejected when truncated anywhere or followed by more bytes", () => {
    fc.assert(
      fc.property(fc.array(anyLookup, { minLength: 1, maxLength: 4 }), fc.nat(), (lookups, at) => {
        const frame = encode(lookups);
        const cut = frame.subarray(0, at % frame.length);
        expect(codeOf(() => decodeLookups(cut, limits))).toBe("MALFORMED_FRAME");
        const longer = Buffer.concat([frame, Buffer.from([0])]);
        expect(codeOf(() => decodeLookups(longer, limits))).toBe("MALFORMED_FRAME");
      }),
    );
  });

  it("throws typed errors only, for any bytes", () => {
    fc.assert(
      fc.property(fc.array(anyLookup, { maxLength: 4 }), fc.nat(), fc.nat(255), (all, at, byte) => {
        const frame = encode(all);
        frame[at % frame.length] = byte;
        expect(["none", "MALFORMED_FRAME", "FRAME_TOO_LARGE"]).toContain(
          codeOf(() => decodeLookups(frame, limits)),
        );
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(codeOf(() => decodeLookups(bytes, limits))).toBe("MALFORMED_FRAME");
      }),
    );
  });

  it.each([
    ["maxLookups", { maxLookups: 1 }, [plain("a"), plain("b")]],
    ["maxKeyBytes", { maxKeyBytes: 2 }, [plain("abc")]],
    ["maxGroupBytes", { maxGroupBytes: 1 }, [plain("a", "long")]],
    ["maxInputBytes", { maxInputBytes: 1 }, [{ ...plain("a"), input: new Uint8Array(2) }]],
  ])("is refused beyond %s, by the name of the limit", (name, overrides, lookups) => {
    const frame = encode(lookups);
    expect(() => decodeLookups(frame, resolveFrameLimits(overrides))).toThrow(name);
    expect(codeOf(() => decodeLookups(frame, resolveFrameLimits(overrides)))).toBe(
      "FRAME_TOO_LARGE",
    );
  });

  it("that announces 65,535 lookups in twenty bytes is rejected before allocation", () => {
    const frame = encode([]);
    frame.writeUInt16LE(0xffff, frame.length - 2);
    const generous = resolveFrameLimits({ maxLookups: 0xffff });
    expect(() => decodeLookups(frame, generous)).toThrow("no room");
  });

  it.each([
    ["another magic", 0, 0x51],
    ["another version", 1, 2],
    ["another kind", 2, 2],
    ["a reserved byte that is set", 3, 1],
    ["an unknown flag", 18, 0x84],
    ["a group number out of order", 19, 1],
  ])("is refused for %s", (_, offset, byte) => {
    const frame = encode([plain("a")]);
    frame[offset] = byte;
    expect(codeOf(() => decodeLookups(frame, limits))).toBe("MALFORMED_FRAME");
  });

  it("is full at the limits of count and bytes, and further lookups fit the next", () => {
    const byCount = writerWith({ maxLookups: 2 });
    byCount.begin(1);
    expect([plain("a"), plain("b"), plain("c")].map((one) => byCount.add(one, 1))).toEqual([
      true,
      true,
      false,
    ]);
    expect(decodeLookups(byCount.finish(), limits).lookups.map((one) => one.key)).toEqual([
      "a",
      "b",
    ]);

    const small = { maxFrameBytes: 200, maxKeyBytes: 60, maxInputBytes: 10, maxGroupBytes: 20 };
    const byBytes = writerWith(small);
    byBytes.begin(1);
    let added = 0;
    while (byBytes.add(plain("k".repeat(60)), 1)) added++;
    expect(added).toBe(2);
    const frame = byBytes.finish();
    expect(frame.length).toBeLessThanOrEqual(200);
    expect(decodeLookups(frame, resolveFrameLimits(small)).lookups).toHaveLength(2);
  });

  it("carries the trace of a lookup, and no extra byte without one", () => {
    const traced = {
      ...plain("a"),
      input: Uint8Array.of(9),
      trace: { traceparent, tracestate: "v=1" },
    };
    const frame = encode([traced, plain("b")]);
    expect(frame.subarray(18).toString("hex")).toBe(
      [
        "15" + "0000" + "e8030000" + "01000000" + "0100" + "01000000" + "67" + "61" + "09",
        `3a00${Buffer.from(`${traceparent}v=1`).toString("hex")}`,
        "00" + "0000" + "e8030000" + "01000000" + "62",
      ].join(""),
    );
    const [first, second] = decodeLookups(frame, limits).lookups;
    expect(first).toMatchObject({ key: "a", trace: traced.trace });
    expect(second).toMatchObject({ key: "b" });
    expect("trace" in (second ?? {})).toBe(false);
    expect(encode([{ ...plain("b"), trace: undefined }])).toEqual(encode([plain("b")]));
  });

  it.each([
    ["a traceparent that is none", { traceparent: `${traceparent}-`, tracestate: undefined }],
    ["a line end", { traceparent: `${traceparent.slice(0, -1)}\n`, tracestate: undefined }],
    ["bytes beyond ASCII", { traceparent: traceparent.replace("0a", "é"), tracestate: "v=1" }],
  ])("leaves a trace with %s out", (_, trace) => {
    expect(encode([{ ...plain("a"), trace }])).toEqual(encode([plain("a")]));
  });

  it("ignores an invalid trace and decodes the following lookups", () => {
    const good = Buffer.from(traceparent);
    for (const [bytes, tracestate] of [
      [Buffer.concat([good, Buffer.alloc(512, "x")]), "x".repeat(512)],
      [Buffer.concat([good, Buffer.from("v=\n")]), undefined],
      [Buffer.concat([good, Buffer.alloc(513, "x")]), "none"],
      [Buffer.alloc(0xffff, "x"), "none"],
      [Buffer.alloc(0), "none"],
      [good.subarray(1), "none"],
      [Buffer.alloc(55, 0xff), "none"],
    ] as const) {
      const frame = encode([plain("a"), plain("b")]);
      const firstEnd = 18 + 11 + 2 + 2;
      frame[18] = 0x14;
      const length = Buffer.alloc(2);
      length.writeUInt16LE(bytes.length);
      const whole = Buffer.concat([
        frame.subarray(0, firstEnd),
        length,
        bytes,
        frame.subarray(firstEnd),
      ]);
      const [first, second] = decodeLookups(whole, limits).lookups;
      expect(first?.trace).toEqual(tracestate === "none" ? undefined : { traceparent, tracestate });
      expect([first?.key, second?.key]).toEqual(["a", "b"]);
    }
  });

  it("omits a trace that does not fit", () => {
    const small = { maxFrameBytes: 200, maxKeyBytes: 60, maxInputBytes: 10, maxGroupBytes: 20 };
    const writer = writerWith(small);
    const lookup = { ...plain("k"), trace: { traceparent, tracestate: undefined } };
    const tooMuch = { ...plain("k"), trace: { traceparent, tracestate: "x".repeat(200) } };
    writer.begin(1);
    expect(writer.add(lookup, 1)).toBe(true);
    expect(writer.add(tooMuch, 1)).toBe(false);
    expect(decodeLookups(writer.finish(), limits).lookups).toMatchObject([{ trace: lookup.trace }]);
    writer.begin(2);
    expect(writer.add(tooMuch, 1)).toBe(true);
    expect(writer.add(lookup, 1)).toBe(true);
    const { lookups } = decodeLookups(writer.finish(), limits);
    expect(lookups.map(({ key, trace }) => [key, trace])).toEqual([
      ["k", undefined],
      ["k", lookup.trace],
    ]);
  });

  it("rejects a lookup that fits no frame, and stays usable", () => {
    const writer = writerWith({ maxKeyBytes: 3, maxInputBytes: 1, maxGroupBytes: 2 });
    writer.begin(1);
    expect(codeOf(() => writer.add(plain("éé"), 1))).toBe("KEY_TOO_LARGE");
    expect(codeOf(() => writer.add({ ...plain("a"), input: new Uint8Array(2) }, 1))).toBe(
      "FRAME_TOO_LARGE",
    );
    expect(codeOf(() => writer.add(plain("a", "long"), 1))).toBe("FRAME_TOO_LARGE");
    expect(writer.add(plain("ok"), 1)).toBe(true);
    expect(decodeLookups(writer.finish(), limits).lookups).toEqual([
      { ...plain("ok"), timeoutMs: 1, memoryOnly: false },
    ]);
  });

  it("encodes an infinite timeout as the longest possible", () => {
    const writer = writerWith();
    writer.begin(1);
    writer.add(plain("a"), Number.POSITIVE_INFINITY);
    expect(decodeLookups(writer.finish(), limits).lookups[0]?.timeoutMs).toBe(0xffffffff);
  });
});

describe("frame limits", () => {
  it.each([
    ["maxLookups", 0],
    ["maxLookups", 65_536],
    ["maxKeyBytes", 1.5],
    ["maxValueBytes", Number.NaN],
    ["maxFrameBytes", 1000],
  ])("refuse %s %d by name", (field, value) => {
    expect(codeOf(() => resolveFrameLimits({ [field]: value }))).toBe("INVALID_ARGUMENT");
    expect(() => resolveFrameLimits({ [field]: value })).toThrow(field);
  });
});
