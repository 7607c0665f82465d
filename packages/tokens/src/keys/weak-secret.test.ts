import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { createDerivedKeySource } from "./derived-key-source.ts";
import { weaknessOf } from "./weak-secret.ts";

test.each([
  ["of one character", "a".repeat(48), /at least 8 different/],
  ["of few characters", "abcdefg".repeat(7), /at least 8 different/],
  ["of zeros", new Uint8Array(32), /at least 8 different/],
  ["of repeated digits", "1234567890".repeat(4), /repeated/],
  ["of a repeated phrase", "correct-hay-correct-hay-correct-hay-", /repeated/],
  ["of a document", "32 random bytes that all nodes share", /example of a document/],
  ["of a document, in another spelling", "32_RANDOM_bytes_that_all_nodes_share!", /example/],
  ["to be changed", "please-change-me-please-change-me-1234", /placeholder/],
  ["of a tutorial", "my-super-secret-signing-key-1234567890", /placeholder/],
  ["of a password", "Password123456789Password1234567", /placeholder/],
])("refuses a secret %s, and does not show it", (_name, secret, reason) => {
  expect(weaknessOf(secret)).toMatch(reason);
  const create = (): unknown => createDerivedKeySource({ secret, issuer: "https://x.example" });
  expect(create).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(/^secret must/) as string,
    }),
  );
  expect(create).not.toThrow(Buffer.from(secret as Uint8Array).toString());
  const publish = { secret: randomBytes(32), publishedSecrets: [secret], issuer: "x" };
  expect(() => createDerivedKeySource(publish)).toThrow(/^publishedSecrets\[0\] must/);
});

test("accepts a weak secret in a demonstration, but not a short one", () => {
  const demo = { issuer: "https://x.example", isDemo: true };
  expect(() => createDerivedKeySource({ ...demo, secret: "a".repeat(32) })).not.toThrow();
  expect(() => createDerivedKeySource({ ...demo, secret: "a".repeat(31) })).toThrow(/32 bytes/);
});

test("accepts secrets of a generator in any encoding", () => {
  for (let times = 0; times < 500; times += 1) {
    const secret = randomBytes(32);
    for (const encoding of ["hex", "base64", "base64url"] as const) {
      expect(weaknessOf(secret.toString(encoding))).toBeUndefined();
    }
    expect(weaknessOf(secret)).toBeUndefined();
  }
});

test("refuses each signing secret that the README shows", async () => {
  const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  for (const [, secret = ""] of readme.matchAll(/secret: "([^"]+)"/g)) {
    expect(weaknessOf(secret)).toBeDefined();
  }
});
