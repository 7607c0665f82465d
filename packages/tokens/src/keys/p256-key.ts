import { createECDH, createHash, createPrivateKey, sign } from "node:crypto";
import type { SigningKey } from "./key-source.ts";

const coordinateBytes = 32;

/** Order n of the P-256 group (FIPS 186-5); private keys are the integers from 1 to n - 1. */
const groupOrder = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/**
 * Maps uniform random bytes to a private key by FIPS 186-5 A.2.1 ("extra random bits"): with 48 bytes
 * the bias is below 2^-128. Deterministic.
 */
export function scalarFromBytes(bytes: Uint8Array): Uint8Array {
  const wide = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  const scalar = (wide % (groupOrder - 1n)) + 1n;
  return Buffer.from(scalar.toString(16).padStart(coordinateBytes * 2, "0"), "hex");
}

/** The signing key of a 32-byte private scalar. Throws OpenSSL's error for a scalar out of range. */
export function p256KeyFromScalar(scalar: Uint8Array): SigningKey {
  const ecdh = createECDH("prime256v1");
  ecdh.setPrivateKey(scalar);
  // 0x04, then x and y of 32 bytes each, with leading zeros as RFC 7518 §6.2.1.2 requires.
  const point = ecdh.getPublicKey();
  const x = point.subarray(1, 1 + coordinateBytes).toString("base64url");
  const y = point.subarray(1 + coordinateBytes).toString("base64url");
  const d = Buffer.from(scalar).toString("base64url");
  const key = createPrivateKey({ format: "jwk", key: { kty: "EC", crv: "P-256", x, y, d } });
  const kid = thumbprint(x, y);
  return {
    kid,
    publicJwk: Object.freeze({ kty: "EC", crv: "P-256", x, y, kid, alg: "ES256", use: "sig" }),
    sign: (data) => sign("sha256", data, { key, dsaEncoding: "ieee-p1363" }),
  };
}

/** RFC 7638: the required members in alphabetical order, without white space. */
function thumbprint(x: string, y: string): string {
  const canonical = JSON.stringify({ crv: "P-256", kty: "EC", x, y });
  return createHash("sha256").update(canonical).digest("base64url");
}
