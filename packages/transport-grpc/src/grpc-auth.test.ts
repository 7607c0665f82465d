import { createHash, createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  createCallSigner,
  createCallVerifier,
  isSignedMessage,
  type SignedCall,
  type VerifiedCall,
} from "./grpc-auth.ts";

const secret = "a secret for this test only";
const other = "the secret of another test";
const receiver = "grpc://node-2:50051";
const path = "/parsec.v1.Peers/Invalidate";
const message = Buffer.from("a message");

function setup(options: { readonly secrets?: readonly string[]; readonly receiver?: string } = {}) {
  const clock = { now: 1_700_000_000_000 };
  const wallNow = (): number => clock.now;
  const sign = createCallSigner({ secret, receiver, wallNow });
  const verify = createCallVerifier({
    secrets: options.secrets ?? [secret],
    receiver: options.receiver ?? receiver,
    windowMs: 30_000,
    wallNow,
  });
  return { clock, sign, verify };
}

function believed(outcome: VerifiedCall | string): VerifiedCall {
  if (typeof outcome === "string") throw new Error(outcome);
  return outcome;
}

describe("a signature", () => {
  it("has the documented format", () => {
    const { sign } = setup();
    const { authorization } = sign(path, message);
    const [scheme, rest = ""] = authorization.split(" ");
    const [signedAt, session, number, digest, mac] = rest.split(".");
    expect([scheme, signedAt, number]).toEqual(["Parsec-HMAC-SHA256", "1700000000000", "1"]);
    expect(session).toMatch(/^[0-9a-f]{16}$/);
    expect(digest).toBe(createHash("sha256").update("a message").digest("base64url"));
    const signed = `Parsec-HMAC-SHA256\n1700000000000\n${session}\n1\n${digest}\n${receiver}\n${path}`;
    expect(mac).toBe(createHmac("sha256", secret).update(signed).digest("base64url"));
  });

  it("is accepted by its receiver, with its message", () => {
    const { sign, verify } = setup();
    const call = believed(verify(path, sign(path, message).authorization));
    expect(isSignedMessage(call, message)).toBe(true);
    expect(isSignedMessage(call, Buffer.from("another message"))).toBe(false);
  });

  it("is accepted when it was made with any of the secrets", () => {
    const { sign, verify } = setup({ secrets: [other, secret] });
    expect(verify(path, sign(path).authorization)).toBeTypeOf("object");
  });

  it("is accepted only once", () => {
    const { sign, verify } = setup();
    const { authorization } = sign(path, message);
    expect(verify(path, authorization)).toBeTypeOf("object");
    expect(verify(path, authorization)).toBe("signature was already used");
  });

  it("that is invalid does not use up its number", () => {
    const { sign, verify } = setup();
    const { authorization } = sign(path, message);
    expect(verify("/another/method", authorization)).toBe("signature is invalid");
    expect(verify(path, authorization)).toBeTypeOf("object");
  });

  it.each([
    ["made with another secret", { secrets: [other] }],
    ["made for another node", { receiver: "grpc://node-3:50051" }],
  ])("%s is rejected", (_, options) => {
    const { sign, verify } = setup(options);
    expect(verify(path, sign(path).authorization)).toBe("signature is invalid");
  });

  it.each([
    ["30 s old", 30_000, "object"],
    ["older", 30_001, "string"],
    ["30 s ahead", -30_000, "object"],
    ["further ahead", -30_001, "string"],
  ])("that is %s is accepted within the allowed clock skew only", (_, elapsedMs, kind) => {
    const { clock, sign, verify } = setup();
    const { authorization } = sign(path);
    clock.now += elapsedMs;
    expect(verify(path, authorization)).toBeTypeOf(kind as "object");
  });

  it("with any character changed is rejected", () => {
    const { sign, verify } = setup();
    const { authorization } = sign(path, message);
    for (let index = 0; index < authorization.length; index++) {
      const replacement = authorization[index] === "A" ? "B" : "A";
      const altered = authorization.slice(0, index) + replacement + authorization.slice(index + 1);
      const outcome = verify(path, altered);
      // The last base64 character of 32 bytes has two unused bits, so some changes have no effect.
      const spare = index === authorization.length - 1;
      if (!spare) expect(outcome, `character ${index}`).toBeTypeOf("string");
    }
  });

  it.each([
    ["missing", undefined, "signature is missing"],
    ["empty", "", "signature is malformed"],
    ["of another scheme", "Bearer x", "signature is malformed"],
    ["without its parts", "Parsec-HMAC-SHA256 1.2.3", "signature is malformed"],
  ])("that is %s is rejected", (_, authorization, reason) => {
    expect(setup().verify(path, authorization)).toBe(reason);
  });
});

describe("a response signature", () => {
  const answerTo = (call: SignedCall): string => call.answerMac(message);

  it("is valid with the secret, for its own call only", () => {
    const { sign, verify } = setup();
    const [asked, another] = [sign(path), sign(path)];
    const served = believed(verify(path, asked.authorization)).signed;
    expect(asked.verifyAnswer(answerTo(served), message)).toBe(true);
    expect(another.verifyAnswer(answerTo(served), message)).toBe(false);
    expect(asked.verifyAnswer(answerTo(served), Buffer.from("another"))).toBe(false);
    expect(asked.verifyAnswer(undefined, message)).toBe(false);
    expect(asked.verifyAnswer("", message)).toBe(false);
  });
});
