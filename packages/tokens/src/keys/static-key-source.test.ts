import { exportJWK, generateKeyPair } from "jose";
import { expect, test } from "vitest";
import { createStaticKeySource } from "./static-key-source.ts";

async function privateJwk(): Promise<Record<string, unknown>> {
  const pair = await generateKeyPair("ES256", { extractable: true });
  return { ...(await exportJWK(pair.privateKey)) };
}

test("signs with the first key and publishes all", async () => {
  const jwks = [await privateJwk(), await privateJwk()];
  const keys = createStaticKeySource({ jwks }).keysAt(0);
  expect(keys.published.map(({ x, y }) => ({ x, y }))).toEqual(jwks.map(({ x, y }) => ({ x, y })));
  expect(keys.signing.publicJwk).toBe(keys.published[0]);
});

test("rejects the private keys of RFCs, and other spellings of a key", async () => {
  const rfc7515 = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
  const { d } = await privateJwk();
  for (const text of [rfc7515, `${rfc7515}=`, `${d}=`, ` ${d}`, `${d}\n`]) {
    const create = (): unknown =>
      createStaticKeySource({ jwks: [{ kty: "EC", crv: "P-256", d: text }] });
    expect(create).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(create).not.toThrow(text.trim());
  }
});

test("rejects missing, public, non-P-256 and invalid keys without showing them", async () => {
  const { d, ...publicOnly } = await privateJwk();
  const zero = { ...publicOnly, d: Buffer.alloc(32).toString("base64url") };
  for (const jwks of [
    [],
    [publicOnly],
    [{ kty: "RSA", d }],
    [{ ...publicOnly, d: "AA" }],
    [zero],
  ]) {
    expect(() => createStaticKeySource({ jwks })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  }
});
