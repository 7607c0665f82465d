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
  it("is what another language would make of the description", () => {
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

  it("is believed by whom it is for, with its message", () => {
    const { sign, verify } = setup();
    const call = believed(verify(path, sign(path, message).authorization));
    expect(isSignedMessage(call, message)).toBe(true);
    expect(isSignedMessage(call, Buffer.from("another message"))).toBe(false);
  });

  it("may be made with any of the secrets in use", () => {
    const { sign, verify } = setup({ secrets: [other, secret] });
    expect(verify(path, sign(path).authorization)).toBeTypeOf("object");
  });

  it("counts once", () => {
    const { sign, verify } = setup();
    const { authorization } = sign(path, message);
    expect(verify(path, authorization)).toBeTypeOf("object");
    expect(verify(path, authorization)).toBe("the call came before");
  });

  it("that does not hold uses up nothing", () => {
    const { sign, verify } = setup();
    const { authorization } = sign(path, message);
    expect(verify("/another/method", authorization)).toBe("the signature does not hold");
    expect(verify(path, authorization)).toBeTypeOf("object");
  });

  it.each([
    ["made with another secret", { secrets: [other] }],
    ["made for another node", { receiver: "grpc://node-3:50051" }],
  ])("%s is not believed", (_, options) => {
    const { sign, verify } = setup(options);
    expect(verify(path, sign(path).authorization)).toBe("the signature does not hold");
  });

  it.each([
    ["30 s old", 30_000, "object"],
    ["older", 30_001, "string"],
    ["30 s ahead", -30_000, "object"],
    ["further ahead", -30_001, "string"],
  ])("that is %s is judged by its age", (_, elapsedMs, kind) => {
    const { clock, sign, verify } = setup();
    const { authorization } = sign(path);
    clock.now += elapsedMs;
    expect(verify(path, authorization)).toBeTypeOf(kind as "object");
  });

  it("with any character changed is not believed", () => {
    const { sign, verify } = setup();
    const { authorization } = sign(path, message);
    for (let index = 0; index < authorization.length; index++) {
      const replacement = authorization[index] === "A" ? "B" : "A";
      const altered = authorization.slice(0, index) + replacement + authorization.slice(index + 1);
      const outcome = verify(path, altered);
      // The last character of 32 bytes in base64 has two bits to spare: some changes change nothing.
      const spare = index === authorization.length - 1;
      if (!spare) expect(outcome, `character ${index}`).toBeTypeOf("string");
    }
  });

  it.each([
    ["missing", undefined, "the call is not signed"],
    ["empty", "", "the signature has another form"],
    ["of another scheme", "Bearer x", "the signature has another form"],
    ["without its parts", "Parsec-HMAC-SHA256 1.2.3", "the signature has another form"],
  ])("that is %s is not believed", (_, authorization, reason) => {
    expect(setup().verify(path, authorization)).toBe(reason);
  });
});

describe("an answer", () => {
  const answerTo = (call: SignedCall): string => call.answerMac(message);

  it("is proved by whoever knows the secret, for this call alone", () => {
    const { sign, verify } = setup();
    const [asked, another] = [sign(path), sign(path)];
    const served = believed(verify(path, asked.authorization)).signed;
    expect(asked.provesAnswer(answerTo(served), message)).toBe(true);
    expect(another.provesAnswer(answerTo(served), message)).toBe(false);
    expect(asked.provesAnswer(answerTo(served), Buffer.from("another"))).toBe(false);
    expect(asked.provesAnswer(undefined, message)).toBe(false);
    expect(asked.provesAnswer("", message)).toBe(false);
  });
});
