import { expect, test } from "vitest";
import { createDerivedKeySource, type DerivedKeySourceOptions } from "./derived-key-source.ts";

const minute = 60_000;
const hour = 60 * minute;
const options = {
  secret: "a secret of at least thirty-two bytes",
  issuer: "https://tokens.example",
  rotateEveryMs: hour,
  jwksMaxAgeMs: 5 * minute,
  maxTokenTtlMs: 10 * minute,
  clockSkewMs: minute,
} satisfies DerivedKeySourceOptions;
const start = 480_000 * hour;

test("gives all nodes the same keys at the same time", () => {
  const [a, b] = [createDerivedKeySource(options), createDerivedKeySource(options)];
  for (let now = start; now < start + 5 * hour; now += 7 * minute) {
    const keys = a.keysAt(now);
    expect(b.keysAt(now).signing.kid).toBe(keys.signing.kid);
    expect(b.keysAt(now).published).toEqual(keys.published);
  }
});

test("has the same keys after a restart", () => {
  const before = createDerivedKeySource(options).keysAt(start + minute);
  const after = createDerivedKeySource(options).keysAt(start + 2 * minute);
  expect(after.signing.kid).toBe(before.signing.kid);
});

test("publishes each key for a whole rotation before it signs, for any clock skew", () => {
  const source = createDerivedKeySource(options);
  for (let now = start; now < start + 3 * hour; now += minute) {
    const kept = source.keysAt(now).published.map((key) => key.kid);
    for (const skew of [-options.clockSkewMs, 0, options.clockSkewMs]) {
      expect(kept).toContain(source.keysAt(now + hour + skew).signing.kid);
    }
  }
});

test("publishes each key for the full cache age before it signs, also one of several rotations", () => {
  const slow = { ...options, jwksMaxAgeMs: 150 * minute };
  const source = createDerivedKeySource(slow);
  for (let now = start; now < start + hour; now += minute) {
    const kept = source.keysAt(now).published.map((key) => key.kid);
    for (let age = 0; age <= slow.jwksMaxAgeMs; age += 10 * minute) {
      expect(kept).toContain(source.keysAt(now + age).signing.kid);
    }
  }
});

test("publishes each key that signs within the cache age, for any clock skew", () => {
  const source = createDerivedKeySource(options);
  for (let now = start; now < start + 3 * hour; now += minute) {
    const kept = source.keysAt(now).published.map((key) => key.kid);
    for (let age = 0; age <= options.jwksMaxAgeMs; age += minute) {
      for (const skew of [-options.clockSkewMs, 0, options.clockSkewMs]) {
        const { signing } = source.keysAt(now + age + skew);
        expect(kept).toContain(signing.kid);
      }
    }
  }
});

test("publishes each key until its last token has expired", () => {
  const source = createDerivedKeySource(options);
  for (let signedAt = start; signedAt < start + 2 * hour; signedAt += minute) {
    const { signing } = source.keysAt(signedAt);
    for (let age = 0; age <= options.maxTokenTtlMs; age += minute) {
      const known = source.keysAt(signedAt + age).published.map((key) => key.kid);
      expect(known).toContain(signing.kid);
    }
  }
});

test("removes old keys: publishes only the signing key and the next one between rotations", () => {
  const source = createDerivedKeySource(options);
  const { published, signing } = source.keysAt(start + 30 * minute);
  const next = source.keysAt(start + 90 * minute).signing;
  expect(published.map((key) => key.kid)).toEqual([signing.kid, next.kid]);
});

test("uses the current key after a suspension of many rotations", () => {
  const slept = createDerivedKeySource(options);
  slept.keysAt(start);
  const later = start + 1_000 * hour + 30 * minute;
  const fresh = createDerivedKeySource(options);
  expect(slept.keysAt(later).signing.kid).toBe(fresh.keysAt(later).signing.kid);
  expect(slept.keysAt(later).published).toEqual(fresh.keysAt(later).published);
});

test("derives different keys for each slot, issuer and secret", () => {
  const kids = [
    createDerivedKeySource(options).keysAt(start),
    createDerivedKeySource(options).keysAt(start + hour),
    createDerivedKeySource({ ...options, issuer: "https://other.example" }).keysAt(start),
    createDerivedKeySource({ ...options, secret: `${options.secret}!` }).keysAt(start),
  ].map((keys) => keys.signing.kid);
  expect(new Set(kids).size).toBe(4);
});

test("supports the rotation of the secret in steps", () => {
  const next = "the next secret, thirty-two bytes long";
  const today = createDerivedKeySource({ ...options, publishedSecrets: [next] });
  const tomorrow = createDerivedKeySource({
    ...options,
    secret: next,
    publishedSecrets: [options.secret],
  });
  const now = start + 30 * minute;
  const known = (source: typeof today): string[] =>
    source
      .keysAt(now)
      .published.map((key) => key.kid)
      .sort();
  expect(today.keysAt(now).signing.kid).not.toBe(tomorrow.keysAt(now).signing.kid);
  expect(known(today)).toEqual(known(tomorrow));
});

test("returns the same key set object until the keys change", () => {
  const source = createDerivedKeySource(options);
  const keys = source.keysAt(start + 30 * minute);
  expect(source.keysAt(start + 31 * minute)).toBe(keys);
  expect(source.keysAt(start + 59 * minute)).not.toBe(keys);
});

test.each([
  [{ secret: "short" }, /secret must have at least 32 bytes/],
  [{ issuer: "" }, /issuer/],
  [{ rotateEveryMs: 10 }, /rotateEveryMs/],
  [{ rotateEveryMs: 1_000 }, /rotateEveryMs must be at least .* \/ 64, got 1000/],
  [{ clockSkewMs: Number.NaN }, /clockSkewMs/],
  [{ publishedSecrets: ["x"] }, /publishedSecrets\[0\]/],
])("rejects %o", (change, message) => {
  expect(() => createDerivedKeySource({ ...options, ...change })).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(message) as string,
    }),
  );
});
