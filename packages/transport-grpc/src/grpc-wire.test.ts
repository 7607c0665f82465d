import { describe, expect, it } from "vitest";
import {
  decodeAnswerMessage,
  encodeAnswerMessage,
  frameIdOf,
  maxAnswerMessageBytes,
  messageMethods,
} from "./grpc-wire.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

describe("a message of answers", () => {
  it("may be a whole frame", () => {
    const frame = hex("50 01 02 00 07000000 12 0000 0000000000000000");
    expect(decodeAnswerMessage(frame)).toEqual({ kind: "whole", frameId: 7, body: frame });
  });

  it.each([
    ["piece", "01 78563412 aabb"],
    ["last", "02 78563412 aabb"],
    ["refusal", "03 78563412 aabb"],
  ] as const)("may be a %s", (kind, bytes) => {
    expect(encodeAnswerMessage(kind, 0x12345678, hex("aabb"))).toEqual(hex(bytes));
    expect(decodeAnswerMessage(hex(bytes))).toEqual({
      kind,
      frameId: 0x12345678,
      body: hex("aabb"),
    });
  });

  it("may have an empty body", () => {
    expect(encodeAnswerMessage("last", 1, new Uint8Array())).toEqual(hex("02 01000000"));
  });

  it.each([
    ["nothing", ""],
    ["a head cut short", "01 010000"],
    ["a frame cut short", "50 01 02"],
    ["an unknown kind", "04 01000000 00"],
    ["HTTP/1", "47 45 54 20 2f 20"],
  ])("that is %s is malformed", (_, bytes) => {
    expect(() => decodeAnswerMessage(hex(bytes))).toThrow(
      expect.objectContaining({ code: "MALFORMED_FRAME" }),
    );
  });

  it("is smaller than gRPC's default limit", () => {
    expect(maxAnswerMessageBytes).toBeLessThan(4 * 1024 * 1024);
  });
});

describe("the id of a frame", () => {
  it.each([
    ["50 01 01 00 ffffffff 00", 0xffffffff],
    ["50 01 01 00 01000000", 1],
    ["50 01 01 00 010000", 0],
    ["51 01 01 00 01000000", 0],
    ["", 0],
  ])("of %s is %d", (bytes, id) => {
    expect(frameIdOf(hex(bytes))).toBe(id);
  });
});

it("keeps the names of the methods, which other versions and languages call", () => {
  expect(Object.values(messageMethods).map(({ path }) => path)).toEqual([
    "/parsec.v1.Peers/Exchange",
    "/parsec.v1.Peers/Lookup",
    "/parsec.v1.Peers/Invalidate",
    "/parsec.v1.Peers/HandOver",
    "/parsec.v1.Peers/Ping",
    "/groupcachepb.GroupCache/Get",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
  ]);
});
