import { createHash } from "node:crypto";
import { calculateJwkThumbprint, compactVerify, importJWK } from "jose";
import { expect, test } from "vitest";
import { p256KeyFromScalar, scalarFromBytes } from "./p256-key.ts";

/** A stream of reproducible "random" seeds. */
function seed(index: number): Uint8Array {
  return createHash("sha384").update(`seed ${index}`).digest();
}

test("coordinates keep their leading zeros (RFC 7518 §6.2.1.2)", async () => {
  let withZero = 0;
  for (let index = 0; withZero < 3; index += 1) {
    expect(index).toBeLessThan(5_000);
    const key = p256KeyFromScalar(scalarFromBytes(seed(index)));
    const coordinates = [key.publicJwk.x, key.publicJwk.y].map((c) => Buffer.from(c, "base64url"));
    expect(coordinates.map((c) => c.length)).toEqual([32, 32]);
    if (!coordinates.some((c) => c[0] === 0)) continue;
    withZero += 1;
    // A strict verifier must be able to use exactly this key.
    const input = `${Buffer.from('{"alg":"ES256"}').toString("base64url")}.e30`;
    const signature = await key.sign(Buffer.from(input));
    const jws = `${input}.${Buffer.from(signature).toString("base64url")}`;
    const publicKey = await importJWK({ ...key.publicJwk }, "ES256");
    await expect(compactVerify(jws, publicKey)).resolves.toBeDefined();
  }
});

test("the key id is the RFC 7638 thumbprint", async () => {
  const key = p256KeyFromScalar(scalarFromBytes(seed(1)));
  expect(key.kid).toBe(await calculateJwkThumbprint({ ...key.publicJwk }));
  expect(key.publicJwk.kid).toBe(key.kid);
});

test("the extreme seeds still give a scalar within the group's order", () => {
  for (const bytes of [new Uint8Array(48), new Uint8Array(48).fill(255)]) {
    expect(() => p256KeyFromScalar(scalarFromBytes(bytes))).not.toThrow();
  }
  expect(Buffer.from(scalarFromBytes(new Uint8Array(48))).toString("hex")).toBe(
    `${"0".repeat(63)}1`,
  );
});

test("the public half shows nothing of the private one", () => {
  const { publicJwk } = p256KeyFromScalar(scalarFromBytes(seed(2)));
  expect(Object.keys(publicJwk).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
});
