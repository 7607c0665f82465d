import { createRequestSigner, createRequestVerifier } from "@parsec/core/transport";
import { expect, it } from "vitest";
import { SignedCall } from "./grpc-auth.ts";

const secret = "a secret for this test only";
const receiver = "grpc://node-2:50051";
const path = "/parsec.v1.Peers/Ping";
const message = Buffer.from("a message");

it("signs a response with the secret, for its own call only", () => {
  const sign = createRequestSigner({ secret, receiver, wallNow: Date.now });
  const verify = createRequestVerifier({
    secrets: ["the secret of another test", secret],
    receiver,
    windowMs: 30_000,
    wallNow: Date.now,
  });
  const asked = new SignedCall(sign(path));
  const another = new SignedCall(sign(path));
  const verified = verify(path, asked.authorization);
  if (typeof verified === "string") throw new Error(verified);
  const mac = new SignedCall(verified).answerMac(message);
  expect(asked.verifyAnswer(mac, message)).toBe(true);
  expect(another.verifyAnswer(mac, message)).toBe(false);
  expect(asked.verifyAnswer(mac, Buffer.from("another"))).toBe(false);
  expect(asked.verifyAnswer(undefined, message)).toBe(false);
  expect(asked.verifyAnswer("", message)).toBe(false);
});
