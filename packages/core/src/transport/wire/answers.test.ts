import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isParsecError, ParsecError } from "../../errors.ts";
import type { PeerAnswer } from "../../peer.ts";
import { AnswerReader, type AnswerReceiver } from "./answer-reader.ts";
import { AnswerWriter } from "./answers.ts";
import { maxMessageBytes } from "./layout.ts";

type Seen =
  | readonly ["answered", number, PeerAnswer]
  | readonly ["failed", number, string, string]
  | readonly ["applied", number, number];

class Recorder implements AnswerReceiver {
  readonly frameId = 7;
  readonly count = 100;
  readonly seen: Seen[] = [];

  answered(index: number, answer: PeerAnswer): void {
    const value = answer.value && Uint8Array.from(answer.value);
    this.seen.push(["answered", index, { ...answer, value }]);
  }

  failed(index: number, error: ParsecError): void {
    this.seen.push(["failed", index, error.code, error.message]);
  }

  applied(index: number, ticket: number): void {
    this.seen.push(["applied", index, ticket]);
  }
}

function write(seen: readonly Seen[], maxValueBytes = 1000): Buffer {
  const writer = new AnswerWriter({ maxValueBytes, initialBytes: 16 });
  writer.begin(7);
  for (const one of seen) {
    if (one[0] === "answered") writer.answered(one[1], one[2]);
    else if (one[0] === "failed") writer.failed(one[1], new ParsecError(one[2] as never, one[3]));
    else writer.applied(one[1], one[2]);
  }
  return writer.take();
}

function read(pieces: readonly Uint8Array[], maxValueBytes = 1000): readonly Seen[] {
  const recorder = new Recorder();
  const reader = new AnswerReader(recorder, { maxValueBytes });
  for (const piece of pieces) reader.push(piece);
  reader.end();
  return recorder.seen;
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

/** Splits `bytes` at the given offsets. */
function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
  places.sort((a, b) => a - b);
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

const anyAnswer: fc.Arbitrary<Seen> = fc.oneof(
  fc.tuple(
    fc.constant("answered" as const),
    fc.nat(99),
    fc.record({
      value: fc.option(fc.uint8Array({ maxLength: 60 }), { nil: undefined }),
      ttlMs: fc.oneof(
        fc.constant(Number.POSITIVE_INFINITY),
        fc.constant(0),
        fc.nat().map((n) => n / 8),
      ),
      fence: fc.oneof(fc.constant(0), fc.maxSafeNat()),
      ratePerMinute: fc.oneof(
        fc.constant(0),
        fc.nat().map((n) => n / 4),
      ),
    }),
  ),
  fc.tuple(
    fc.constant("failed" as const),
    fc.nat(99),
    fc.constantFrom("ORIGIN_FAILED", "TIMEOUT", "CLOSED", "INVALID_ARGUMENT"),
    fc.string({ maxLength: 30 }),
  ),
  fc.tuple(
    fc.constant("answered" as const),
    fc.nat(99),
    fc.constant({ value: undefined, ttlMs: 0, fence: 0, ratePerMinute: 0, missing: true }),
  ),
  fc.tuple(fc.constant("applied" as const), fc.nat(99), fc.maxSafeNat()),
);

describe("a frame of answers", () => {
  it("has exactly these bytes", () => {
    const frame = write([
      [
        "answered",
        0,
        { value: Buffer.from("hi"), ttlMs: Number.POSITIVE_INFINITY, fence: 0, ratePerMinute: 0 },
      ],
      ["answered", 2, { value: Buffer.alloc(0), ttlMs: 1, fence: 2, ratePerMinute: 3 }],
      ["answered", 1, { value: undefined, ttlMs: 0, fence: 0, ratePerMinute: 0 }],
      ["failed", 3, "ORIGIN_FAILED", "no"],
      ["applied", 4, 0],
      ["applied", 5, 3],
      ["answered", 6, { value: undefined, ttlMs: 0, fence: 0, ratePerMinute: 0, missing: true }],
    ]);
    expect(frame.toString("hex")).toBe(
      [
        "50010200" + "07000000",
        "01" + "0000" + "02000000" + "6869",
        "71" + "0200" + "000000000000f03f" + "0000000000000040" + "0000000000000840" + "00000000",
        "12" + "0100" + "0000000000000000",
        "03" + "0300" + "07" + "0200" + "6e6f",
        "04" + "0400",
        "24" + "0500" + "0000000000000840",
        "05" + "0600",
      ].join(""),
    );
  });

  it("is decoded to the same answers, however the stream is split", () => {
    fc.assert(
      fc.property(
        fc.array(anyAnswer, { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (answers, cuts) => {
          expect(read(pieces(write(answers), cuts))).toEqual(answers);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("is decoded byte by byte", () => {
    fc.assert(
      fc.property(fc.array(anyAnswer, { maxLength: 5 }), (answers) => {
        const frame = write(answers);
        expect(read([...frame].map((byte) => Uint8Array.of(byte)))).toEqual(answers);
      }),
    );
  });

  it("returns a whole value without copying it", () => {
    const frame = write([
      ["answered", 0, { value: Buffer.from("hi"), ttlMs: 1, fence: 0, ratePerMinute: 0 }],
    ]);
    let buffer: ArrayBufferLike | undefined;
    const receiver = Object.assign(new Recorder(), {
      answered: (_: number, answer: PeerAnswer) => {
        buffer = answer.value?.buffer;
      },
    });
    new AnswerReader(receiver, { maxValueBytes: 10 }).push(frame);
    expect(buffer).toBe(frame.buffer);
  });

  it("that ends inside an answer is malformed, after the complete answers were delivered", () => {
    const answers: Seen[] = [
      ["applied", 1, 0],
      ["failed", 2, "TIMEOUT", "late"],
    ];
    const frame = write(answers);
    for (let length = 0; length < frame.length; length++) {
      // Between two answers it ends early, which the receiver notices by counting.
      if (length === 8 || length === 11) continue;
      expect(codeOf(() => read([frame.subarray(0, length)]))).toBe("MALFORMED_FRAME");
    }
    const recorder = new Recorder();
    new AnswerReader(recorder, { maxValueBytes: 10 }).push(frame.subarray(0, -1));
    expect(recorder.seen).toEqual([["applied", 1, 0]]);
  });

  it("throws typed errors only, for any bytes", () => {
    fc.assert(
      fc.property(
        fc.array(anyAnswer, { minLength: 1, maxLength: 4 }),
        fc.nat(),
        fc.nat(255),
        (answers, at, byte) => {
          const frame = write(answers);
          frame[at % frame.length] = byte;
          expect(["none", "MALFORMED_FRAME", "FRAME_TOO_LARGE"]).toContain(
            codeOf(() => read([frame])),
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each([
    ["another frame's answers", 4, 8, "MALFORMED_FRAME"],
    ["an unknown status", 8, 0x0f, "MALFORMED_FRAME"],
    ["a flag out of place", 8, 0x91, "MALFORMED_FRAME"],
    ["a time to live of something applied", 8, 0x14, "MALFORMED_FRAME"],
    ["something missing that has a fence", 8, 0x25, "MALFORMED_FRAME"],
    ["an unknown index", 9, 200, "MALFORMED_FRAME"],
    ["a time to live below 0", 18, 0xbf, "MALFORMED_FRAME"],
    ["a value beyond the limit", 21, 0xff, "FRAME_TOO_LARGE"],
  ])("is refused for %s", (_, offset, byte, code) => {
    const frame = write([
      ["answered", 0, { value: Buffer.from("hi"), ttlMs: 1, fence: 0, ratePerMinute: 0 }],
    ]);
    frame[offset] = byte;
    expect(codeOf(() => read([frame]))).toBe(code);
  });

  it("contains VALUE_TOO_LARGE instead of a value that is too large to send", () => {
    const frame = write(
      [["answered", 5, { value: Buffer.alloc(11), ttlMs: 1, fence: 0, ratePerMinute: 0 }]],
      10,
    );
    const [failure] = read([frame]);
    expect(failure?.slice(0, 3)).toEqual(["failed", 5, "VALUE_TOO_LARGE"]);
  });

  it("truncates a long message between characters", () => {
    const [failure] = read([
      write([["failed", 1, "ORIGIN_FAILED", `x${"é".repeat(maxMessageBytes)}`]]),
    ]);
    expect(failure?.[3]).toBe(`x${"é".repeat((maxMessageBytes - 2) / 2)}`);
  });

  it("does not contain the message of an untyped error", () => {
    const writer = new AnswerWriter({ maxValueBytes: 10, initialBytes: 16 });
    writer.begin(7);
    writer.failed(1, new Error("password=hunter2"));
    const frame = writer.take();
    expect(frame.toString("latin1")).not.toContain("hunter2");
    expect(read([frame])[0]?.slice(0, 3)).toEqual(["failed", 1, "ORIGIN_FAILED"]);
  });

  it("reports an unknown error code as PEER_UNREACHABLE", () => {
    const frame = write([["failed", 1, "ORIGIN_FAILED", ""]]);
    frame[11] = 200;
    expect(read([frame])[0]?.[2]).toBe("PEER_UNREACHABLE");
  });
});
