import { ParsecError } from "@parsec/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeCopyPiece, decodeDelta, decodePosition } from "../replication/replicate-message.ts";
import { decodeRequest } from "../routing/request-body.ts";
import { FieldReader } from "./field-reader.ts";
import { decodeAnswer, encodeAnswer, readHead, writeHead } from "./ring-message.ts";

const head = { kind: "call", incarnation: "i", epoch: 7, partition: 3, partEpoch: 2 } as const;

describe("requests between nodes", () => {
  it("carry the sender's table and partition", () => {
    const reader = new FieldReader(writeHead(head).finish());
    expect(readHead(reader)).toEqual(head);
    expect(reader.left).toBe(0);
  });

  it.each([0, 100, 500])("keep an error with a message of %i characters", (length) => {
    const error = new ParsecError("PEER_UNREACHABLE", "x".repeat(length));
    const answer = decodeAnswer(encodeAnswer({ outcome: "failed", error }));
    expect(answer).toMatchObject({ error: { code: error.code, message: error.message } });
  });

  it("throw a typed error when they are malformed", () => {
    const readers = [
      (bytes: Uint8Array) => readHead(new FieldReader(bytes)),
      (bytes: Uint8Array) => decodeAnswer(bytes),
      (bytes: Uint8Array) => decodePosition(bytes),
      (bytes: Uint8Array) => decodeDelta(new FieldReader(bytes)),
      (bytes: Uint8Array) => decodeCopyPiece(new FieldReader(bytes)),
      (bytes: Uint8Array) => decodeRequest("call", new FieldReader(bytes), { maxKeyBytes: 10 }),
      (bytes: Uint8Array) => decodeRequest("write", new FieldReader(bytes), { maxKeyBytes: 10 }),
    ];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(...readers), (bytes, read) => {
        try {
          read(bytes);
        } catch (error) {
          expect(error).toMatchObject({
            code: expect.stringMatching(/MALFORMED_FRAME|FRAME_TOO_LARGE/),
          });
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("return the answer, the refusal or the error", () => {
    const done = decodeAnswer(encodeAnswer({ outcome: "done", body: Buffer.from("x") }));
    expect(done).toEqual({ outcome: "done", body: Buffer.from("x") });
    const refused = { outcome: "refused", refusal: "stale-epoch", epoch: 9 } as const;
    expect(decodeAnswer(encodeAnswer(refused))).toEqual(refused);
  });
});
