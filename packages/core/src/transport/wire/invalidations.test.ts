import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isParsecError } from "../../errors.ts";
import { canonicalKey } from "../../key-bytes.ts";
import type { PeerInvalidation } from "../../peer.ts";
import {
  decodeCancellation,
  decodeInvalidations,
  encodeCancellation,
  encodeInvalidations,
} from "./invalidations.ts";
import { type FrameLimits, resolveFrameLimits } from "./limits.ts";

const limits = resolveFrameLimits();

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
const anyName = fc.string({ unit: "binary", maxLength: 20 }).map(canonicalKey);
const anyTarget: fc.Arbitrary<PeerInvalidation["target"]> = fc.oneof(
  fc.record({ kind: fc.constant("keys" as const), keys: fc.array(anyName, { maxLength: 4 }) }),
  fc.record({ kind: fc.constant("tag" as const), tag: anyName }),
  fc.record({ kind: fc.constant("all" as const) }),
);
const anyInvalidation: fc.Arbitrary<PeerInvalidation> = fc.record(
  {
    group: anyName,
    fence: fc.maxSafeNat(),
    target: anyTarget,
    again: fc.constant(true),
    owedTo: fc.array(anyName, { maxLength: 3 }),
    trace: fc.constantFrom(
      { traceparent, tracestate: undefined },
      { traceparent, tracestate: "v=1" },
    ),
  },
  { requiredKeys: ["group", "fence", "target"] },
);

describe("a frame of invalidations", () => {
  it("has exactly these bytes", () => {
    const frame = encodeInvalidations(
      {
        frameId: 9,
        sender: 2,
        invalidations: [
          { group: "g", target: { kind: "keys", keys: ["a", "é"] }, fence: 3 },
          { group: "g", target: { kind: "tag", tag: "t" }, fence: 4 },
          { group: "h", target: { kind: "all" }, fence: 5 },
          { group: "h", target: { kind: "all" }, fence: 6, again: true },
          { group: "h", target: { kind: "all" }, fence: 6, again: true, owedTo: ["n", "é"] },
        ],
      },
      limits,
    );
    expect(frame.toString("hex")).toBe(
      [
        "50010300" + "09000000" + "0000000000000040" + "0500",
        "00" + "0100" + "0000000000000840" + "02000000" + "67" + "01000000" + "61",
        "02000000" + "c3a9",
        "01" + "0100" + "0000000000001040" + "01000000" + "67" + "01000000" + "74",
        "02" + "0100" + "0000000000001440" + "00000000" + "68",
        "82" + "0100" + "0000000000001840" + "00000000" + "68",
        "a2" + "0100" + "0000000000001840" + "00000000" + "68" + "02000000",
        "01000000" + "6e" + "02000000" + "c3a9",
      ].join(""),
    );
  });

  it("is decoded to what was encoded", () => {
    fc.assert(
      fc.property(fc.array(anyInvalidation, { maxLength: 6 }), (invalidations) => {
        const frame = encodeInvalidations({ frameId: 1, sender: 2, invalidations }, limits);
        expect(decodeInvalidations(frame, limits)).toEqual({
          frameId: 1,
          sender: 2,
          invalidations,
        });
      }),
    );
  });

  it("is rejected with a typed error when truncated or changed", () => {
    fc.assert(
      fc.property(anyInvalidation, fc.nat(), fc.nat(255), (invalidation, at, byte) => {
        const frame = encodeInvalidations(
          { frameId: 1, sender: 2, invalidations: [invalidation] },
          limits,
        );
        const cut = frame.subarray(0, at % frame.length);
        expect(codeOf(() => decodeInvalidations(cut, limits))).toBe("MALFORMED_FRAME");
        frame[at % frame.length] = byte;
        expect(["none", "MALFORMED_FRAME", "FRAME_TOO_LARGE"]).toContain(
          codeOf(() => decodeInvalidations(frame, limits)),
        );
      }),
    );
  });

  it("has a limit of keys on both sides", () => {
    const frame = {
      frameId: 1,
      sender: 2,
      invalidations: [
        { group: "g", target: { kind: "keys" as const, keys: ["a", "b", "c"] }, fence: 1 },
      ],
    };
    const strict = resolveFrameLimits({ maxInvalidationKeys: 2 });
    expect(codeOf(() => encodeInvalidations(frame, strict))).toBe("FRAME_TOO_LARGE");
    const bytes = encodeInvalidations(frame, limits);
    expect(() => decodeInvalidations(bytes, strict)).toThrow("maxInvalidationKeys");
  });
});

describe("an invalidation's trace", () => {
  const all = { group: "h", target: { kind: "all" as const }, fence: 5 };
  const encode = (
    invalidations: readonly PeerInvalidation[],
    within: FrameLimits = limits,
  ): Buffer => encodeInvalidations({ frameId: 9, sender: 2, invalidations }, within);

  it("has exactly these bytes", () => {
    const traced = { ...all, again: true, trace: { traceparent, tracestate: "v=1" } };
    expect(encode([traced, all]).subarray(18).toString("hex")).toBe(
      [
        "c2" + "0100" + "0000000000001440" + "00000000" + "68",
        `3a00${Buffer.from(`${traceparent}v=1`).toString("hex")}`,
        "02" + "0100" + "0000000000001440" + "00000000" + "68",
      ].join(""),
    );
  });

  it("is omitted when invalid, and ignored on arrival", () => {
    const wrong = { traceparent: traceparent.toUpperCase(), tracestate: "v=1" };
    expect(encode([{ ...all, trace: wrong }])).toEqual(encode([all]));
    const frame = encode([{ ...all, trace: { traceparent, tracestate: undefined } }, all]);
    frame.write("x", 18 + 15 + 1 + 2);
    expect(decodeInvalidations(frame, limits).invalidations).toEqual([all, all]);
  });

  it("is omitted when the frame has no room for it", () => {
    const keys = ["k".repeat(100)];
    const some = { ...all, target: { kind: "keys" as const, keys } };
    const small = resolveFrameLimits({
      maxFrameBytes: 200,
      maxKeyBytes: 100,
      maxInputBytes: 10,
      maxGroupBytes: 20,
    });
    const traced = { ...some, trace: { traceparent, tracestate: "x".repeat(100) } };
    expect(encode([traced], small)).toEqual(encode([some]));
    const tooLong = {
      ...all,
      group: "long",
      target: { kind: "keys" as const, keys: [...keys, ...keys] },
    };
    expect(codeOf(() => encode([{ ...tooLong, trace: traced.trace }], small))).toBe(
      "FRAME_TOO_LARGE",
    );
  });
});

describe("a cancellation", () => {
  it("has exactly these bytes and is decoded to what was encoded", () => {
    const frame = { frameId: 5, sender: 1, indexes: [0, 258] };
    const bytes = encodeCancellation(frame);
    expect(bytes.toString("hex")).toBe(
      "50010400" + "05000000" + "000000000000f03f" + "0200" + "0000" + "0201",
    );
    expect(decodeCancellation(bytes, limits)).toEqual(frame);
    expect(codeOf(() => decodeCancellation(bytes.subarray(0, -1), limits))).toBe("MALFORMED_FRAME");
  });
});
