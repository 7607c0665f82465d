import { createHash, createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createRequestSigner, createRequestVerifier, isSignedBody } from "./request-signatures.ts";

const receiver = "http://owner:8080";
const head = "POST\n/_groupcache/";
const body = Buffer.from("frame");

function setup(options: { readonly signWith?: string; readonly to?: string } = {}) {
  const wall = { now: 1_700_000_000_000 };
  const wallNow = (): number => wall.now;
  const verify = createRequestVerifier({
    secrets: ["new secret of the cluster", "old secret of the cluster"],
    receiver,
    windowMs: 30_000,
    wallNow,
  });
  const signer = createRequestSigner({
    secret: options.signWith ?? "new secret of the cluster",
    receiver: options.to ?? receiver,
    wallNow,
  });
  const sign = (): string => signer(head, body).authorization;
  return { wall, sign, signer, verify };
}

const verified = expect.objectContaining({ digest: expect.any(String) });

describe("a signed request", () => {
  it("is accepted when it was signed with any of the secrets, without its body", () => {
    for (const signWith of ["new secret of the cluster", "old secret of the cluster"]) {
      const { sign, verify } = setup({ signWith });
      const authorization = sign();
      expect(verify(head, authorization)).toMatchObject({ authorization, secret: signWith });
    }
  });

  it("has the digest of its body, which no other body matches", () => {
    const { sign, signer, verify } = setup();
    const request = verify(head, sign());
    if (typeof request === "string") throw new Error(request);
    expect(isSignedBody(request, body)).toBe(true);
    expect(isSignedBody(request, Buffer.from("frami"))).toBe(false);
    expect(isSignedBody(request, Buffer.alloc(0))).toBe(false);
    expect(isSignedBody(request)).toBe(false);
    const empty = verify("GET\n/", signer("GET\n/").authorization);
    if (typeof empty === "string") throw new Error(empty);
    expect(isSignedBody(empty)).toBe(true);
    expect(isSignedBody(empty, Buffer.alloc(0))).toBe(true);
    expect(isSignedBody(empty, body)).toBe(false);
  });

  it("carries the HMAC of exactly this text", () => {
    const [, fields, mac] = /^Parsec-HMAC-SHA256 (.+)\.(.+)$/.exec(setup().sign()) ?? [];
    const digest = createHash("sha256").update(body).digest("base64url");
    expect(fields).toMatch(/^1700000000000\.[0-9a-f]{16}\.1\./);
    expect(fields?.endsWith(`.${digest}`)).toBe(true);
    const text = `Parsec-HMAC-SHA256\n${fields}\n${receiver}\n${head}`;
    expect(mac).toBe(
      createHmac("sha256", "new secret of the cluster").update(text).digest("base64url"),
    );
  });

  it.each([
    ["without a signature", setup(), undefined, "signature is missing"],
    [
      "with another secret",
      setup({ signWith: "secret of another cluster" }),
      "",
      "signature is invalid",
    ],
    ["for another node", setup({ to: "http://other:8080" }), "", "signature is invalid"],
  ])("is refused %s", (_case, { sign, verify }, authorization, reason) => {
    expect(verify(head, authorization === undefined ? undefined : sign())).toBe(reason);
  });

  it.each(["GET\n/_groupcache/", "POST\n/_groupcache/?", "POST/_groupcache/"])(
    "is refused with the head %j",
    (other) => {
      const { sign, verify } = setup();
      expect(verify(other, sign())).toBe("signature is invalid");
    },
  );

  it("is accepted only once, and a refused copy does not use it up", () => {
    const { sign, verify } = setup();
    const authorization = sign();
    expect(verify(`${head}?`, authorization)).toBe("signature is invalid");
    expect(verify(head, authorization)).toEqual(verified);
    expect(verify(head, authorization)).toBe("signature was already used");
  });

  it("is accepted within the allowed clock skew, in either direction", () => {
    for (const [skewMs, accepted] of [
      [30_000, true],
      [-30_000, true],
      [30_001, false],
      [-30_001, false],
    ] as const) {
      const { sign, verify, wall } = setup();
      const authorization = sign();
      wall.now += skewMs;
      const expired = expect.stringContaining("expired");
      expect(verify(head, authorization)).toEqual(accepted ? verified : expired);
    }
  });

  it("is refused when any character was altered", () => {
    const { sign, verify } = setup();
    const authorization = sign();
    for (let index = 0; index < authorization.length - 1; index++) {
      const character = authorization[index] === "1" ? "2" : "1";
      const forged = authorization.slice(0, index) + character + authorization.slice(index + 1);
      expect(verify(head, forged)).toEqual(expect.any(String));
    }
    expect(verify(head, authorization)).toEqual(verified);
  });

  it.each([
    "",
    "Bearer abc",
    "Parsec-HMAC-SHA256",
    "Parsec-HMAC-SHA256 1.2.3.4.5",
    `Parsec-HMAC-SHA256 ${"9".repeat(400)}.${"a".repeat(16)}.1.${"A".repeat(43)}.${"A".repeat(43)}`,
  ])("is refused when its signature is %j", (authorization) => {
    expect(setup().verify(head, authorization)).toBe("signature is malformed");
  });

  it("does not contain the secret", () => {
    expect(setup().sign()).not.toContain("secret");
  });
});
