import { expect, it } from "vitest";
import { bodyOffset, MessageWriter, readMessage, readNumbers, writeNumbers } from "./nats-wire.ts";

const head = { kind: "answer", piece: 7, last: true, wantsMore: true } as const;
const session: number = 2 ** 48;

function message(signed = false): Buffer {
  const bytes = new MessageWriter({ session, signed }).begin(head, 3);
  bytes.fill(0x2a, bodyOffset(false), bodyOffset(signed));
  bytes.write("abc", bodyOffset(signed));
  return bytes;
}

it.each([false, true])("decodes to the encoded message (signed: %s)", (signed) => {
  const read = readMessage(message(signed));
  expect(read).toMatchObject({ ...head, signed, session });
  expect(read.body.toString()).toBe("abc");
});

it("decodes the flags of a middle piece", () => {
  const plain = { kind: "ask", piece: 0, last: false } as const;
  const bytes = new MessageWriter({ session, signed: false }).begin(plain, 0);
  expect(readMessage(bytes)).toMatchObject({ ...plain, wantsMore: false, signed: false });
});

it("refuses every message that is truncated within its head, but not an empty body", () => {
  for (const signed of [false, true]) {
    const whole = message(signed);
    for (let length = 0; length < bodyOffset(signed); length++) {
      expect(() => readMessage(whole.subarray(0, length))).toThrow(
        expect.objectContaining({ code: "MALFORMED_FRAME" }),
      );
    }
    expect(readMessage(whole.subarray(0, bodyOffset(signed))).body).toHaveLength(0);
  }
});

it.each([
  ["another magic", 0, 0x50],
  ["another version", 1, 2],
  ["kind 0", 2, 0],
  ["an unknown kind", 2, 8],
  ["an unknown flag", 3, 0x80],
])("refuses a message with %s", (_, offset, byte) => {
  const bytes = message();
  bytes[offset] = byte;
  expect(() => readMessage(bytes)).toThrow(expect.objectContaining({ code: "MALFORMED_FRAME" }));
});

it.each([0, -1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])(
  "refuses %s as a session",
  (wrong) => {
    const bytes = message();
    bytes.writeDoubleLE(wrong, 8);
    expect(() => readMessage(bytes)).toThrow("session");
  },
);

it("reads lists of numbers within their limit", () => {
  const numbers = [0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER];
  expect(readNumbers(writeNumbers(numbers), 4)).toEqual(numbers);
  expect(() => readNumbers(writeNumbers(numbers), 3)).toThrow(
    expect.objectContaining({ code: "FRAME_TOO_LARGE" }),
  );
  expect(() => readNumbers(Buffer.alloc(7), 3)).toThrow("ends inside one");
  expect(() => readNumbers(writeNumbers([0.5]), 3)).toThrow("not a whole number");
});
