import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type FixtureIssuer,
  fixtureAudience,
  startFixtureIssuer,
} from "../../test/fixture-issuer.ts";
import type { TrustOptions } from "./trust-options.ts";
import { createTrustStore, type TrustStore } from "./trust-store.ts";

const openid = "/.well-known/openid-configuration";
const oauth = "/.well-known/oauth-authorization-server";
const guess = "/.well-known/jwks.json";

let idp: FixtureIssuer;
const opened: TrustStore[] = [];

beforeEach(async () => {
  idp = await startFixtureIssuer();
});
afterEach(async () => {
  for (const store of opened.splice(0)) store.close();
  await idp.close();
});

function trust(
  issuer: Partial<TrustOptions["issuers"][number]> = {},
  options: Partial<TrustOptions> = {},
): TrustStore {
  const store = createTrustStore({
    issuers: [{ issuer: idp.issuer, audience: fixtureAudience, ...issuer }],
    ...options,
  });
  opened.push(store);
  return store;
}

/** The reason why no token is accepted. */
async function failureOf(store: TrustStore, token: string): Promise<string | undefined> {
  await expect(store.verify(token)).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
  return store.failures()[0]?.reason;
}

test("finds the keys by the OpenID configuration", async () => {
  idp.answerPathWith(openid, { issuer: idp.issuer, jwks_uri: `${idp.issuer}/protocol/certs` });
  idp.answerPathWith(guess, 404);
  await expect(trust().verify(await idp.mint())).resolves.toMatchObject({ subject: "alice" });
  expect(idp.paths).toEqual([openid, "/protocol/certs"]);
});

test("finds the keys by RFC 8414 metadata, whose path comes before that of the issuer", async () => {
  const issuer = `${idp.issuer}/realms/one`;
  idp.answerPathWith(`/realms/one${openid}`, 404);
  idp.answerPathWith(`${oauth}/realms/one`, { issuer, jwks_uri: `${idp.issuer}/certs` });
  const store = trust({ issuer });
  await expect(store.verify(await idp.mint({ iss: issuer }))).resolves.toBeDefined();
});

test("finds the keys of an issuer whose URL ends with a slash", async () => {
  const issuer = `${idp.issuer}/`;
  idp.answerPathWith(openid, { issuer, jwks_uri: `${idp.issuer}/certs` });
  await expect(trust({ issuer }).verify(await idp.mint({ iss: issuer }))).resolves.toBeDefined();
});

test.each([
  ["no metadata", 404],
  ["a page at every path", "<html>"],
  ["metadata without jwks_uri", { issuer: "x" }],
])("reads /.well-known/jwks.json of an issuer with %s", async (_name, answer) => {
  idp.answerPathWith(openid, answer);
  idp.answerPathWith(oauth, answer);
  await expect(trust().verify(await idp.mint())).resolves.toBeDefined();
  expect(idp.paths).toEqual([openid, oauth, guess]);
});

test("asks for the metadata once while the keys can be fetched", async () => {
  idp.answerPathWith(openid, { issuer: idp.issuer, jwks_uri: `${idp.issuer}/certs` });
  const store = trust();
  await store.verify(await idp.mint());
  await idp.rotate();
  await store.verify(await idp.mint());
  expect(idp.paths).toEqual([openid, "/certs", "/certs"]);
});

test("follows keys that moved", async () => {
  let now = Date.now();
  idp.answerPathWith(openid, { issuer: idp.issuer, jwks_uri: `${idp.issuer}/old` });
  const store = trust({}, { now: () => now, jwksRetryMs: 10, memoMaxBytes: 0 });
  await store.verify(await idp.mint());
  await idp.rotate();
  idp.answerPathWith("/old", 404);
  idp.answerPathWith(openid, { issuer: idp.issuer, jwks_uri: `${idp.issuer}/new` });
  await expect(store.verify(await idp.mint())).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
  now += 20;
  await expect(store.verify(await idp.mint())).resolves.toBeDefined();
});

test("keeps the known URL while the metadata is unavailable", async () => {
  let now = Date.now();
  idp.answerPathWith(openid, { issuer: idp.issuer, jwks_uri: `${idp.issuer}/certs` });
  const store = trust({}, { now: () => now, jwksMaxAgeMs: 10 });
  await store.verify(await idp.mint());
  idp.answerPathWith(openid, 503);
  await idp.rotate();
  now += 1_000;
  await expect(store.verify(await idp.mint())).resolves.toBeDefined();
});

describe("reports, and does not use,", () => {
  test.each([
    [
      "metadata of another issuer",
      { issuer: "https://other.example" },
      /issuer of the document must be http/,
    ],
    ["an issuer with one more slash", { issuer: "/" }, /issuer of the document must be http/],
    [
      "keys over http from another host",
      { jwks_uri: "http://192.0.2.1/k" },
      /jwks_uri must be an https URL/,
    ],
    ["keys in a file", { jwks_uri: "file:///etc/passwd" }, /jwks_uri must be an https URL/],
    ["a relative URL", { jwks_uri: "/certs" }, /jwks_uri must be an absolute URL/],
    [
      "a URL with a password",
      { jwks_uri: "https://a:secret@192.0.2.1/k" },
      /jwks_uri must not contain credentials/,
    ],
  ])("%s", async (_name, change, reason) => {
    const { issuer = "", ...rest } = change as { issuer?: string; jwks_uri?: string };
    idp.answerPathWith(openid, {
      issuer: issuer === "/" || issuer === "" ? idp.issuer + issuer : issuer,
      jwks_uri: `${idp.issuer}/certs`,
      ...rest,
    });
    const failure = await failureOf(trust(), await idp.mint());
    expect(failure).toMatch(reason);
    expect(failure).toContain(idp.issuer + openid);
    expect(failure).not.toContain("secret");
    expect(idp.paths).toEqual([openid]);
  });

  test("a provider that answers 500", async () => {
    idp.answerPathWith(openid, 500);
    expect(await failureOf(trust(), await idp.mint())).toBe(`${idp.issuer}${openid}: status 500`);
  });

  test("a redirect of the keys", async () => {
    const redirect = (_request: unknown, response: ServerResponse): void =>
      void response.writeHead(302, { location: `${idp.issuer}/elsewhere` }).end();
    idp.answerPathWith("/certs", redirect);
    const store = trust({ jwksUrl: `${idp.issuer}/certs` });
    expect(await failureOf(store, await idp.mint())).toMatch(
      /status 302 \(redirects are not followed\)/,
    );
    expect(idp.paths).toEqual(["/certs"]);
  });

  test("a document without end", async () => {
    idp.answerPathWith("/certs", (_request: unknown, response: ServerResponse) => {
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
      };
      response.on("drain", more);
      more();
    });
    const store = trust({ jwksUrl: `${idp.issuer}/certs` });
    expect(await failureOf(store, await idp.mint())).toMatch(/must have at most 524288 bytes/);
  });

  test("a provider that does not complete its response", async () => {
    idp.answerPathWith("/certs", (_request: unknown, response: ServerResponse) => {
      response.write("{");
    });
    const store = trust({ jwksUrl: `${idp.issuer}/certs` }, { jwksTimeoutMs: 50 });
    expect(await failureOf(store, await idp.mint())).toMatch(/no complete response within 50 ms/);
  });

  test("a provider that cannot be reached", async () => {
    const token = await idp.mint();
    await idp.close();
    expect(await failureOf(trust(), token)).toBe(`${idp.issuer}${openid}: ECONNREFUSED`);
  });
});

describe("rejects the options", () => {
  test.each([
    [
      "keys over http",
      { jwksUrl: "http://idp.example/jwks" },
      /issuers\[0\]\.jwksUrl must be an https URL/,
    ],
    [
      "a name that begins like loopback",
      { jwksUrl: "http://127.0.0.1.evil.example/" },
      /must be an https URL/,
    ],
    [
      "a password",
      { jwksUrl: "https://a:hidden@idp.example/jwks" },
      /must not contain credentials/,
    ],
    [
      "an issuer over http",
      { issuer: "http://idp.example" },
      /issuers\[0\]\.issuer, without jwksUrl, must be an https URL/,
    ],
    ["an issuer that is not a URL", { issuer: "idp" }, /issuers\[0\]\.jwksUrl must be set/],
  ])("%s", (_name, change, message) => {
    const attempt = (): unknown => trust(change);
    expect(attempt).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringMatching(message) as string,
      }),
    );
    expect(attempt).not.toThrow(/hidden/);
  });

  test("but not http on loopback, or an issuer of any kind with a URL of its keys", () => {
    for (const jwksUrl of ["http://127.8.8.8:1/", "http://[::1]:1/", "http://localhost:1/"]) {
      expect(() => trust({ issuer: "idp", jwksUrl })).not.toThrow();
    }
  });
});
