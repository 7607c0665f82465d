import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createSignatureCheck, createStamper } from "./signatures.ts";

const toKey = (secret: string): KeyObject => createSecretKey(secret, "utf8");
const macOf = (key: KeyObject): Buffer => createHmac("sha256", key).update("message").digest();

describe("createStamper", () => {
  it("numbers messages from 1, with a session per stamper", () => {
    const next = createStamper(() => 1000.7);
    const [first, second] = [next(), next()];
    expect(first).toMatchObject({ signedAt: 1000, number: 1 });
    expect(second).toEqual({ ...first, number: 2 });
    expect(createStamper(() => 0)().session).not.toBe(first.session);
  });
});

describe("createSignatureCheck", () => {
  const check = createSignatureCheck({
    keys: ["the new secret", "the old secret"].map(toKey),
    windowMs: 100,
    wallNow: () => 1000,
  });

  it.each([
    [900, true],
    [1100, true],
    [899, false],
    [1101, false],
    [Number.NaN, false],
  ])("returns for a message signed at %s that it is recent: %s", (signedAt, recent) => {
    expect(check.isRecent(signedAt)).toBe(recent);
  });

  it("finds the key of a MAC among all secrets, and none for a forgery", () => {
    const old = toKey("the old secret");
    expect(check.keyOf(macOf(old), macOf)?.equals(old)).toBe(true);
    expect(check.keyOf(macOf(toKey("a guess of a secret")), macOf)).toBeUndefined();
  });

  it("accepts each message once", () => {
    const stamp = { session: "s", number: 1, signedAt: 1000 };
    expect(check.isFirst(stamp)).toBe(true);
    expect(check.isFirst(stamp)).toBe(false);
    expect(check.isFirst({ ...stamp, number: 2 })).toBe(true);
  });
});
