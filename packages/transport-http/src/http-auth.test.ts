import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createRequestSigner, createSignatureVerifier, type SignedParts } from "./http-auth.ts";

const receiver = "http://owner:8080";
const parts: SignedParts = { method: "POST", target: "/_groupcache/", body: Buffer.from("frame") };

function setup(options: { readonly signWith?: string; readonly to?: string } = {}) {
  const wall = { now: 1_700_000_000_000 };
  const wallNow = (): number => wall.now;
  const verifier = createSignatureVerifier({
    secrets: ["new secret of the cluster", "old secret of the cluster"],
    receiver,
    windowMs: 30_000,
    wallNow,
  });
  const sign = createRequestSigner({
    secret: options.signWith ?? "new secret of the cluster",
    receiver: options.to ?? receiver,
    wallNow,
  });
  const passes = (authorization: string | undefined, seen: SignedParts = parts): boolean => {
    const claim = verifier.claim(authorization);
    return claim !== undefined && verifier.verify(claim, seen);
  };
  return { wall, sign, passes };
}

describe("a signature", () => {
  it("is accepted when it was made with any of the secrets", () => {
    for (const signWith of ["new secret of the cluster", "old secret of the cluster"]) {
      const { sign, passes } = setup({ signWith });
      expect(passes(sign(parts))).toBe(true);
      expect(passes(sign({ ...parts, body: undefined }), { ...parts, body: undefined })).toBe(true);
    }
  });

  it("is the HMAC of exactly this text", () => {
    const { sign } = setup();
    const [, timestamp, session, number, mac] =
      /^Parsec-HMAC-SHA256 (\d+)\.([0-9a-f]{16})\.(\d+)\.(.+)$/.exec(sign(parts)) ?? [];
    const text = `Parsec-HMAC-SHA256\n${timestamp}\n${session}\n${number}\n${receiver}\nPOST\n/_groupcache/\nframe`;
    expect(mac).toBe(
      createHmac("sha256", "new secret of the cluster").update(text).digest("base64url"),
    );
  });

  it("is rejected when it was made with another secret", () => {
    const { sign, passes } = setup({ signWith: "secret of another cluster else" });
    expect(passes(sign(parts))).toBe(false);
  });

  it("is rejected when it is for another node", () => {
    const { sign, passes } = setup({ to: "http://other:8080" });
    expect(passes(sign(parts))).toBe(false);
  });

  it.each([
    ["method", { ...parts, method: "GET" }],
    ["target", { ...parts, target: "/_groupcache/?" }],
    ["body", { ...parts, body: Buffer.from("frami") }],
    ["missing body", { ...parts, body: undefined }],
  ])("is rejected for another %s", (_, seen) => {
    const { sign, passes } = setup();
    expect(passes(sign(parts), seen)).toBe(false);
  });

  it("is accepted only once", () => {
    const { sign, passes } = setup();
    const authorization = sign(parts);
    expect(passes(authorization)).toBe(true);
    expect(passes(authorization)).toBe(false);
  });

  it("is accepted within the allowed clock skew, in either direction", () => {
    for (const [skewMs, believed] of [
      [30_000, true],
      [-30_000, true],
      [30_001, false],
      [-30_001, false],
    ] as const) {
      const { sign, passes, wall } = setup();
      const authorization = sign(parts);
      wall.now += skewMs;
      expect(passes(authorization)).toBe(believed);
    }
  });

  it("is rejected when any character was altered", () => {
    const { sign, passes } = setup();
    const authorization = sign(parts);
    for (let index = 0; index < authorization.length - 1; index++) {
      const character = authorization[index] === "1" ? "2" : "1";
      const forged = authorization.slice(0, index) + character + authorization.slice(index + 1);
      expect(passes(forged)).toBe(false);
    }
    expect(passes(authorization)).toBe(true);
  });

  it.each([
    undefined,
    "",
    "Bearer abc",
    "Parsec-HMAC-SHA256",
    "Parsec-HMAC-SHA256 1.2.3.4",
    `Parsec-HMAC-SHA256 ${"9".repeat(400)}.${"a".repeat(16)}.1.${"A".repeat(43)}`,
  ])("is rejected when it is %j", (authorization) => {
    expect(setup().passes(authorization)).toBe(false);
  });

  it("does not contain the secret", () => {
    const { sign } = setup();
    expect(sign(parts)).not.toContain("secret");
  });
});
