import { SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type FixtureIssuer,
  fixtureAudience,
  startFixtureIssuer,
} from "../../test/fixture-issuer.ts";
import type { TrustOptions } from "./trust-options.ts";
import { createTrustStore, type TrustStore } from "./trust-store.ts";

let idp: FixtureIssuer;
const opened: { close(): unknown }[] = [];

beforeEach(async () => {
  idp = await startFixtureIssuer();
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  await idp.close();
});

function trust(options: Partial<TrustOptions> = {}): TrustStore {
  const store = createTrustStore({
    issuers: [{ issuer: idp.issuer, audience: fixtureAudience }],
    ...options,
  });
  opened.push(store);
  return store;
}

const refusal = (reason: RegExp): unknown =>
  expect.objectContaining({
    code: "UNAUTHENTICATED",
    message: expect.stringMatching(reason) as string,
  });

test("returns the frozen claims of a valid token", async () => {
  const token = await idp.mint({ scope: "read write", roles: ["admin"] });
  const verified = await trust().verify(token);
  expect(verified).toMatchObject({
    issuer: idp.issuer,
    subject: "alice",
    qualifiedSubject: "alice",
    scope: ["read", "write"],
    claims: { roles: ["admin"] },
  });
  expect(() => (verified.claims.roles as string[]).push("root")).toThrow(TypeError);
});

describe("rejects", () => {
  const seconds = (): number => Math.floor(Date.now() / 1000);
  test.each([
    ["another audience", () => idp.mint({ aud: "someone-else" }), /claim aud has a wrong value/],
    ["no audience", () => idp.mint({ aud: undefined as never }), /claim aud is missing/],
    ["an expired token", () => idp.mint({ exp: seconds() - 60 }), /expired/],
    ["no expiry", () => idp.mint({ exp: undefined as never }), /claim exp is missing/],
    [
      "a token of tomorrow",
      () => idp.mint({ nbf: seconds() + 86_400 }),
      /claim nbf has a wrong value/,
    ],
    ["no subject", () => idp.mint({ sub: undefined as never }), /claim sub is missing/],
    ["an empty subject", () => idp.mint({ sub: "" }), /sub must be a non-empty string/],
    ["a number as subject", () => idp.mint({ sub: 7 as never }), /sub must be a non-empty string/],
    ["a subject with NUL", () => idp.mint({ sub: "alice\0" }), /sub must be a non-empty string/],
    [
      "a lone surrogate as subject",
      () => idp.mint({ sub: "a\ud800" }),
      /sub must be a non-empty string/,
    ],
    ["a foreign issuer", () => idp.mint({ iss: "https://evil.example" }), /issuer is not trusted/],
    ["an unknown key", () => idp.mint({}, { kid: "nobody's" }), /no such signing key/],
    ["a text as token", async () => "not a token", /not a JWT/],
    ["an empty token", async () => "", /not a JWT/],
    ["JSON in dots", async () => "e30.e30.e30", /must have an issuer and an algorithm/],
    [
      "a token of the future",
      () => idp.mint({ iat: seconds() + 86_400 }),
      /claim iat is in the future/,
    ],
    ["a number as typ", () => idp.mint({}, { typ: 7 as never }), /must have an issuer/],
    ["a huge token", async () => "x".repeat(20_000), /must have at most 16384 bytes/],
  ])("%s", async (_name, make, reason) => {
    await expect(trust().verify(await make())).rejects.toEqual(refusal(reason));
  });

  test("a token with an altered payload or a truncated signature", async () => {
    const [header, payload, signature = ""] = (await idp.mint()).split(".");
    const admin = JSON.parse(Buffer.from(payload ?? "", "base64url").toString()) as object;
    const forged = Buffer.from(JSON.stringify({ ...admin, sub: "root" })).toString("base64url");
    const store = trust();
    await expect(store.verify(`${header}.${forged}.${signature}`)).rejects.toEqual(
      refusal(/signature does not match/),
    );
    await expect(store.verify(`${header}.${payload}.${signature.slice(4)}`)).rejects.toEqual(
      refusal(/./),
    );
    await expect(store.verify(`${header}.${payload}.`)).rejects.toEqual(refusal(/./));
  });

  test("a token with alg none, or a public key used as an HMAC secret", async () => {
    const claims = { iss: idp.issuer, sub: "root", aud: fixtureAudience, exp: seconds() + 60 };
    const part = (value: unknown): string =>
      Buffer.from(JSON.stringify(value)).toString("base64url");
    const none = `${part({ alg: "none" })}.${part(claims)}.`;
    const [key] = idp.jwks().keys;
    const hmac = await new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256", kid: key?.kid as string })
      .sign(Buffer.from(key?.x as string, "base64url"));
    for (const token of [none, hmac]) {
      await expect(trust().verify(token)).rejects.toEqual(refusal(/algorithm is not accepted/));
    }
  });

  test("a valid algorithm that is not in the list", async () => {
    const issuers = [
      { issuer: idp.issuer, audience: fixtureAudience, algorithms: ["RS256"] as const },
    ];
    await expect(trust({ issuers }).verify(await idp.mint())).rejects.toEqual(
      refusal(/algorithm is not accepted/),
    );
  });
});

test("accepts one spelling of a token only", async () => {
  const token = await idp.mint();
  const parts = token.split(".");
  const store = trust();
  const last = (part: string): string => {
    // The last character of 43, 86 or fewer ends with unused bits, except in a part of whole bytes.
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return part.slice(0, -1) + alphabet[alphabet.indexOf(part.at(-1) ?? "") + 1];
  };
  const [header = "", payload = "", signature = ""] = parts;
  const others = [
    ` ${token}`,
    `${token} `,
    `${token}\n`,
    `${token}=`,
    `${token}==`,
    `${token}.`,
    `${header}=.${payload}.${signature}`,
    `${header}.${payload}=.${signature}`,
    `${header}.${payload}\t.${signature}`,
    `${header}.${payload}.${signature.slice(0, 40)}\n${signature.slice(40)}`,
    `${header}.${payload}.${last(signature)}`,
    token.replaceAll("-", "+").replaceAll("_", "/"),
  ].filter((spelling) => spelling !== token);
  for (const spelling of others) {
    await expect(store.verify(spelling), JSON.stringify(spelling)).rejects.toEqual(refusal(/./));
  }
  await expect(store.verify(token)).resolves.toBeDefined();
});

test("omits scope names that would become others in the issued token", async () => {
  const scp = ["read", "read admin", 'a"b', "a\nb", 7];
  expect((await trust().verify(await idp.mint({ scp }))).scope).toEqual(["read"]);
  expect((await trust().verify(await idp.mint({ scope: 'x a"b  y' }))).scope).toEqual(["x", "y"]);
});

test("accepts a token for the clock tolerance after its expiry", async () => {
  let now = Date.now();
  const store = trust({ clockToleranceMs: 2_000, now: () => now });
  const exp = Math.floor(now / 1000) + 10;
  const token = await idp.mint({ exp });
  expect((await store.verify(token)).acceptedUntilMs).toBe(exp * 1000 + 2_000);
  now = exp * 1000 + 1_000;
  await expect(store.verify(token)).resolves.toBeDefined();
  now = exp * 1000 + 2_000;
  await expect(store.verify(token)).rejects.toEqual(refusal(/expired/));
});

test.each([
  ["a key set without alg", { withAlg: false }],
  ["a key set without kid", { withKid: false }],
  ["RSA", { alg: "RS256" }],
  ["Ed25519", { alg: "EdDSA" }],
])("accepts %s", async (_name, options) => {
  const other = await startFixtureIssuer(options);
  opened.push(other);
  const issuers = [{ issuer: other.issuer, audience: fixtureAudience }];
  await expect(trust({ issuers }).verify(await other.mint())).resolves.toBeDefined();
});

test("tries every key of the set for a token without kid", async () => {
  const other = await startFixtureIssuer({ withKid: false });
  opened.push(other);
  const old = other.jwks().keys;
  await other.rotate();
  other.answerJwksWith({ keys: [...old, ...other.jwks().keys] });
  const issuers = [{ issuer: other.issuer, audience: fixtureAudience }];
  await expect(trust({ issuers }).verify(await other.mint())).resolves.toBeDefined();
});

describe("with several issuers", () => {
  test("equal subjects stay distinct", async () => {
    const other = await startFixtureIssuer();
    opened.push(other);
    const store = trust({
      issuers: [
        { issuer: idp.issuer, audience: fixtureAudience, subjectPrefix: "a:" },
        { issuer: other.issuer, audience: fixtureAudience, subjectPrefix: "b:" },
      ],
    });
    const verified = await Promise.all([
      store.verify(await idp.mint()),
      store.verify(await other.mint()),
    ]);
    expect(verified.map((one) => one.qualifiedSubject)).toEqual(["a:alice", "b:alice"]);
  });

  test("a token signed by another issuer is rejected", async () => {
    const other = await startFixtureIssuer();
    opened.push(other);
    const store = trust({
      issuers: [
        { issuer: idp.issuer, audience: fixtureAudience, subjectPrefix: "a:" },
        { issuer: other.issuer, audience: fixtureAudience, subjectPrefix: "b:" },
      ],
    });
    await expect(store.verify(await other.mint({ iss: idp.issuer }))).rejects.toEqual(
      refusal(/signature does not match/),
    );
  });

  test.each([
    [undefined, undefined],
    ["a:", undefined],
    ["a", "ab"],
  ])("the prefixes %s and %s are rejected as ambiguous", (one, two) => {
    const issuers = [one, two].map((subjectPrefix, index) => ({
      issuer: `https://idp${index}.example`,
      audience: "x",
      ...(subjectPrefix === undefined ? {} : { subjectPrefix }),
    }));
    expect(() => createTrustStore({ issuers })).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("subjectPrefix") as string,
      }),
    );
  });
});

describe("the memo", () => {
  test("verifies a token once for concurrent and later callers", async () => {
    const token = await idp.mint();
    const store = trust();
    const all = await Promise.all(Array.from({ length: 50 }, () => store.verify(token)));
    expect(new Set(all).size).toBe(1);
    expect(await store.verify(token)).toBe(all[0]);
  });

  test("stops accepting tokens of a revoked key after memoMaxAgeMs", async () => {
    let now = Date.now();
    const token = await idp.mint();
    const store = trust({
      memoMaxAgeMs: 1_000,
      jwksMaxAgeMs: 500,
      jwksCooldownMs: 0,
      now: () => now,
    });
    await store.verify(token);
    await idp.rotate();
    now += 999;
    await expect(store.verify(token)).resolves.toBeDefined();
    const later = (): Promise<string> => {
      now += 1_000;
      return store.verify(token).then(
        () => "believed",
        () => "refused",
      );
    };
    await expect.poll(later).toBe("refused");
  });

  test("can be turned off", async () => {
    const token = await idp.mint();
    const store = trust({ memoMaxBytes: 0 });
    expect(await store.verify(token)).not.toBe(await store.verify(token));
  });
});

test("an abort of one caller does not affect the others", async () => {
  const token = await idp.mint();
  const store = trust();
  const leaving = new AbortController();
  const first = store.verify(token, { signal: leaving.signal });
  const second = store.verify(token);
  leaving.abort();
  await expect(first).rejects.toMatchObject({ code: "ABORTED" });
  await expect(second).resolves.toMatchObject({ subject: "alice" });
});

test.each([
  [{ issuers: [] }, /issuers/],
  [{ issuers: [{ issuer: "", audience: "x" }] }, /issuers\[0\]\.issuer/],
  [{ issuers: [{ issuer: "https://i.example", audience: [] }] }, /audience/],
  [{ issuers: [{ issuer: "https://i.example", audience: undefined as never }] }, /audience/],
  [{ issuers: [{ issuer: "idp", audience: "x" }] }, /jwksUrl/],
  [{ issuers: [{ issuer: "https://i", audience: "x", jwksUrl: "file:///etc/x" }] }, /jwksUrl/],
  [
    { issuers: [{ issuer: "https://i", audience: "x", algorithms: ["HS256" as never] }] },
    /algorithms/,
  ],
  [
    { issuers: [{ issuer: "https://i", audience: "x", algorithms: ["none" as never] }] },
    /algorithms/,
  ],
  [{ clockToleranceMs: -1 }, /clockToleranceMs/],
  [{ maxTokenBytes: Number.POSITIVE_INFINITY }, /maxTokenBytes/],
])("rejects the options %j", (change, message) => {
  const issuers = [{ issuer: "https://i.example", audience: "x" }];
  expect(() => createTrustStore({ issuers, ...change })).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(message) as string,
    }),
  );
});
