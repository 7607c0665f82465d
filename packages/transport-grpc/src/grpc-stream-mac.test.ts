import { createHmac, randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { macBytes, StreamMac } from "./grpc-stream-mac.ts";

const lengths = [0, 1, 47, 48, 56, 64, 2047, 2048, 2049, 100_000];

it("is the HMAC of number and message, for any length", () => {
  const key = randomBytes(32);
  const mac = new StreamMac(key);
  const checker = new StreamMac(key);
  for (const [number, length] of lengths.entries()) {
    const message = randomBytes(length);
    const counter = Buffer.alloc(8);
    counter.writeDoubleBE(number);
    const expected = createHmac("sha256", key).update(counter).update(message).digest();
    const sealed = mac.append(message);
    expect(sealed, `${length} bytes`).toEqual(
      Buffer.concat([message, expected.subarray(0, macBytes)]),
    );
    expect(checker.verify(message, sealed.subarray(length))).toBe(true);
  }
});

it("differs for the same message with another number", () => {
  const key = randomBytes(32);
  const message = Buffer.from("m");
  const sealed = new StreamMac(key).append(message);
  const checker = new StreamMac(key);
  expect(checker.verify(message, sealed.subarray(1))).toBe(true);
  expect(checker.verify(message, sealed.subarray(1))).toBe(false);
});
