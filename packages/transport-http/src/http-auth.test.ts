import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { RequestSigner, SignatureVerifier, type SignedParts, toKey } from "./http-auth.ts";

const receiver = "http://owner:8080";
const parts: SignedParts = { method: "POST", target: "/_groupcache/", body: Buffer.from("frame") };

function setup(options: { readonly signWith?: string; readonly to?: string } = {}) {
  const wall = { now: 1_700_000_000_000 };
  const wallNow = (): number => wall.now;
  const verifier = new SignatureVerifier({
    keys: [toKey("new secret of the cluster"), toKey("old secret of the cluster")],
    receiver,
    windowMs: 30_000,
    wallNow,
  });
  const signer = new RequestSigner({
    key: toKey(options.signWith ?? "new secret of the cluster"),
    receiver: options.to ?? receiver,
    wallNow,
  });
  const passes = (authorization: string | undefined, seen: SignedParts = parts): boolean => {
    const claim = verifier.claim(authorization);
    return claim !== undefined && verifier.verify(claim, seen);
  };
  return { wall, signer, passes };
}

describe("a signature", () => {
  it("made with any of the secrets is believed", () => {
    for (const signWith of ["new secret of the cluster", "old secret of the cluster"]) {
      const { signer, passes } = setup({ signWith });
      expect(passes(signer.sign(parts))).toBe(true);
      expect(
        passes(signer.sign({ ...parts, body: undefined }), { ...parts, body: undefined }),
      ).toBe(true);
    }
  });

  it("is an HMAC of exactly this text", () => {
    const { signer } = setup();
    const [, timestamp, session, number, mac] =
      /^Parsec-HMAC-SHA256 (\d+)\.([0-9a-f]{16})\.(\d+)\.(.+)$/.exec(signer.sign(parts)) ?? [];
    const text = `Parsec-HMAC-SHA256\n${timestamp}\n${session}\n${number}\n${receiver}\nPOST\n/_groupcache/\nframe`;
    expect(mac).toBe(
      createHmac("sha256", "new secret of the cluster").update(text).digest("base64url"),
    );
  });

  it("made with another secret is not", () => {
    const { signer, passes } = setup({ signWith: "secret of somebody else" });
    expect(passes(signer.sign(parts))).toBe(false);
  });

  it("for another node is not believed here", () => {
    const { signer, passes } = setup({ to: "http://other:8080" });
    expect(passes(signer.sign(parts))).toBe(false);
  });

  it.each([
    ["method", { ...parts, method: "GET" }],
    ["target", { ...parts, target: "/_groupcache/?" }],
    ["body", { ...parts, body: Buffer.from("frami") }],
    ["missing body", { ...parts, body: undefined }],
  ])("of another %s is not believed", (_, seen) => {
    const { signer, passes } = setup();
    expect(passes(signer.sign(parts), seen)).toBe(false);
  });

  it("is believed once", () => {
    const { signer, passes } = setup();
    const authorization = signer.sign(parts);
    expect(passes(authorization)).toBe(true);
    expect(passes(authorization)).toBe(false);
  });

  it("is believed as long as the clocks may differ, either way", () => {
    for (const [skewMs, believed] of [
      [30_000, true],
      [-30_000, true],
      [30_001, false],
      [-30_001, false],
    ] as const) {
      const { signer, passes, wall } = setup();
      const authorization = signer.sign(parts);
      wall.now += skewMs;
      expect(passes(authorization)).toBe(believed);
    }
  });

  it("cannot be altered in any character", () => {
    const { signer, passes } = setup();
    const authorization = signer.sign(parts);
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
  ])("is not %j", (authorization) => {
    expect(setup().passes(authorization)).toBe(false);
  });

  it("does not show the secret", () => {
    const { signer } = setup();
    expect(signer.sign(parts)).not.toContain("secret");
  });
});
