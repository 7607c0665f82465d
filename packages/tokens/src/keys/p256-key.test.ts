import { createHash } from "node:crypto";
import { calculateJwkThumbprint, compactVerify, importJWK } from "jose";
import { expect, test } from "vitest";
import { p256KeyFromScalar, scalarFromBytes } from "./p256-key.ts";

/** Reproducible pseudo-random seeds. */
function seed(index: number): Uint8Array {
  return createHash("sha384").update(`seed ${index}`).digest();
}

test("encodes coordinates with leading zeros (RFC 7518 §6.2.1.2)", async () => {
  let withZero = 0;
  for (let index = 0; withZero < 3; index += 1) {
    expect(index).toBeLessThan(5_000);
    const key = p256KeyFromScalar(scalarFromBytes(seed(index)));
    const coordinates = [key.publicJwk.x, key.publicJwk.y].map((c) => Buffer.from(c, "base64url"));
    expect(coordinates.map((c) => c.length)).toEqual([32, 32]);
    if (!coordinates.some((c) => c[0] === 0)) continue;
    withZero += 1;
    // A strict verifier must accept this key.
    const input = `${Buffer.from('{"alg":"ES256"}').toString("base64url")}.e30`;
    const signature = await key.sign(Buffer.from(input));
    const jws = `${input}.${Buffer.from(signature).toString("base64url")}`;
    const publicKey = await importJWK({ ...key.publicJwk }, "ES256");
    await expect(compactVerify(jws, publicKey)).resolves.toBeDefined();
  }
});

test("uses the RFC 7638 thumbprint as key id", async () => {
  const key = p256KeyFromScalar(scalarFromBytes(seed(1)));
  expect(key.kid).toBe(await calculateJwkThumbprint({ ...key.publicJwk }));
  expect(key.publicJwk.kid).toBe(key.kid);
});

test("maps extreme seeds to a scalar in range", () => {
  for (const bytes of [new Uint8Array(48), new Uint8Array(48).fill(255)]) {
    expect(() => p256KeyFromScalar(scalarFromBytes(bytes))).not.toThrow();
  }
  expect(Buffer.from(scalarFromBytes(new Uint8Array(48))).toString("hex")).toBe(
    `${"0".repeat(63)}1`,
  );
});

test("exports no private part in the public key", () => {
  const { publicJwk } = p256KeyFromScalar(scalarFromBytes(seed(2)));
  expect(Object.keys(publicJwk).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
});
