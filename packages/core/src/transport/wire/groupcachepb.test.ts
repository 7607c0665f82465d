import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isParsecError } from "../../errors.ts";
import { decodeGetResponse, encodeGetResponse } from "./groupcachepb.ts";

const limits = { maxValueBytes: 1000 };
const hex = (text: string): Buffer => Buffer.from(text, "hex");

describe("GetResponse", () => {
  it.each([
    ["hi", 0, "0a026869"],
    ["", 0, "0a00"],
    ["", 1, "0a0011000000000000f03f"],
    ["hi", 120.5, "0a0268691100000000" + "00205e40"],
    ["x".repeat(128), 0, `0a8001${"78".repeat(128)}`],
    ["x".repeat(300), 0, `0aac02${"78".repeat(300)}`],
  ])("of %j at %d per minute has exactly these bytes", (value, minuteQps, golden) => {
    const response = { value: Buffer.from(value), minuteQps };
    const encoded = encodeGetResponse(response);
    expect(encoded.toString("hex")).toBe(golden);
    expect(decodeGetResponse(encoded, limits)).toEqual(response);
  });

  it.each([
    ["with a rate", 1, 1_700_000_000_000, "0a02686911000000000000f03f" + "188080a8b1e39fe7cb17"],
    ["in the past", 0, -5, "0a02686918c0843d"],
  ])("with an expiry %s has exactly these bytes", (_, minuteQps, expiresAtMs, golden) => {
    const value = Buffer.from("hi");
    const encoded = encodeGetResponse({ value, minuteQps, expiresAtMs });
    expect(encoded.toString("hex")).toBe(golden);
    expect(decodeGetResponse(encoded, limits)).toEqual({
      value,
      minuteQps,
      expiresAtMs: Math.max(expiresAtMs, 1),
    });
  });

  it("keeps any expiry until the year 2262, and caps later ones", () => {
    const roundTrip = (expiresAtMs: number): number | undefined =>
      decodeGetResponse(encodeGetResponse({ value: hex(""), minuteQps: 0, expiresAtMs }), limits)
        .expiresAtMs;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9_223_372_036_854 }), (expiresAtMs) => {
        expect(roundTrip(expiresAtMs)).toBe(expiresAtMs);
      }),
    );
    expect(roundTrip(1e300)).toBe(9_223_372_036_854);
  });

  it.each([
    ["a time before 1970", "0a026869" + "18ffffffffffffffffff01", 0],
    ["Go's never", "0a0268691800", undefined],
    ["one of another wire type", "0a0268691900000000000000ff", undefined],
  ])("is decoded with %s as expiry", (_, message, expiresAtMs) => {
    expect(decodeGetResponse(hex(message), limits).expiresAtMs).toBe(expiresAtMs);
  });

  it.each([
    ["with an expiry, as groupcache-go writes it", "0a02686918959a97ece39fe7cb17", "hi"],
    ["without expiry", "0a0268691800", "hi"],
    ["with nothing at all", "", ""],
    [
      "with unknown fields of three wire types before the value",
      "220161" + "2801" + "3500000000" + "0a0178",
      "x",
    ],
    ["with the value twice, where the last one counts", "0a01610a0162", "b"],
  ])("is decoded %s", (_, message, value) => {
    expect(decodeGetResponse(hex(message), limits).value).toEqual(Buffer.from(value));
  });

  it.each([
    ["a length beyond the message", "0a056869"],
    ["a length beyond all messages", "0affffffffffffffffff01"],
    ["a length without end", "0affffffffffffffffffffffff"],
    ["a truncated field", "11000000"],
    ["a tag alone", "0a"],
    ["a truncated varint", "1880"],
    ["a deprecated group", "0b"],
  ])("with %s is malformed", (_, message) => {
    expect(() => decodeGetResponse(hex(message), limits)).toThrow(
      expect.objectContaining({ code: "MALFORMED_FRAME" }),
    );
  });

  it("with a value beyond the limit is rejected with FRAME_TOO_LARGE", () => {
    const encoded = encodeGetResponse({ value: Buffer.alloc(1001), minuteQps: 0 });
    expect(() => decodeGetResponse(encoded, limits)).toThrow(
      expect.objectContaining({ code: "FRAME_TOO_LARGE" }),
    );
  });

  it("throws typed errors only, and never returns an invalid rate", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          expect(decodeGetResponse(Buffer.from(bytes), limits).minuteQps).toBeGreaterThanOrEqual(0);
        } catch (error) {
          if (!isParsecError(error)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
    expect(decodeGetResponse(hex("11000000000000f87f"), limits).minuteQps).toBe(0);
  });
});
