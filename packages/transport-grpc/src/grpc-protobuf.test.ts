import { decodeGetRequest, encodeGetResponse } from "@parsec/core/transport";
import { describe, expect, it } from "vitest";
import { decodeHealthCheckRequest, encodeHealthCheckResponse } from "./grpc-protobuf.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

describe("a GetRequest", () => {
  it.each([
    ["both fields", "0a 01 67 12 01 6b", "67", "6b"],
    ["the fields in the other order", "12 01 6b 0a 01 67", "67", "6b"],
    ["an empty key", "0a 01 67 12 00", "67", ""],
    ["a key that is not UTF-8", "0a 01 67 12 02 fffe", "67", "fffe"],
    ["a repeated field, of which the last counts", "0a 01 78 0a 01 67 12 01 6b", "67", "6b"],
    ["an unknown varint", "0a 01 67 18 9601 12 01 6b", "67", "6b"],
    ["an unknown double", "0a 01 67 19 0000000000000000 12 01 6b", "67", "6b"],
    ["an unknown fixed32", "0a 01 67 1d 00000000 12 01 6b", "67", "6b"],
    ["an unknown string", "0a 01 67 1a 02 6868 12 01 6b", "67", "6b"],
    ["a length in more bytes than needed", "0a 8100 67 12 01 6b", "67", "6b"],
  ])("with %s is decoded", (_, bytes, group, key) => {
    expect(decodeGetRequest(hex(bytes))).toEqual({ group: hex(group), key: hex(key) });
  });

  it.each([
    ["nothing", ""],
    ["no group", "12 01 6b"],
    ["no key", "0a 01 67"],
    ["a field longer than the message", "0a 05 67"],
    ["a field of 2^63 bytes", "0a ffffffffffffffff7f 67"],
    ["a length of too many bytes", "0a ffffffffffffffffffffff 67"],
    ["a length cut short", "0a 81"],
    ["a tag alone", "0a"],
    ["a deprecated group", "0b 01 0c"],
    ["a double cut short", "0a 01 67 19 0000"],
  ])("with %s is malformed", (_, bytes) => {
    expect(() => decodeGetRequest(hex(bytes))).toThrow(
      expect.objectContaining({ code: "MALFORMED_FRAME" }),
    );
  });
});

describe("a GetResponse", () => {
  it.each([
    ["hi", 0, "0a 02 6869"],
    ["", 0, "0a 00"],
    ["hi", 1.5, "0a 02 6869 11 000000000000f83f"],
  ])("of %j at %d a minute is encoded as by Go", (value, minuteQps, bytes) => {
    expect(encodeGetResponse({ value: Buffer.from(value), minuteQps })).toEqual(hex(bytes));
  });

  it("encodes the length in as few bytes as possible", () => {
    const head = (bytes: number): string =>
      encodeGetResponse({ value: Buffer.alloc(bytes, 0x78), minuteQps: 0 })
        .subarray(0, 4)
        .toString("hex");
    expect([127, 128, 16_383, 16_384].map(head)).toEqual([
      "0a7f7878",
      "0a800178",
      "0aff7f78",
      "0a808001",
    ]);
  });
});

describe("a health check", () => {
  it.each([
    ["", ""],
    ["0a 00", ""],
    ["0a 09 72656164696e657373", "readiness"],
  ])("of %s is for service %j", (bytes, service) => {
    expect(decodeHealthCheckRequest(hex(bytes))).toBe(service);
  });

  it("that cannot be decoded is malformed", () => {
    expect(() => decodeHealthCheckRequest(hex("0a 05"))).toThrow(
      expect.objectContaining({ code: "MALFORMED_FRAME" }),
    );
  });

  it("is answered with the number of the status", () => {
    expect(encodeHealthCheckResponse("SERVING")).toEqual(hex("08 01"));
    expect(encodeHealthCheckResponse("NOT_SERVING")).toEqual(hex("08 02"));
    expect(encodeHealthCheckResponse("SERVICE_UNKNOWN")).toEqual(hex("08 03"));
  });
});
