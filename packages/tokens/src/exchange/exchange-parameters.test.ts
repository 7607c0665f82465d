import { expect, test } from "vitest";
import { checkNoRepeats, parseExchangeParameters } from "./exchange-parameters.ts";
import { grantAudience, grantScope } from "./grants.ts";

const urn = "urn:ietf:params:oauth";
const good = {
  grant_type: `${urn}:grant-type:token-exchange`,
  subject_token: "t",
  subject_token_type: `${urn}:token-type:jwt`,
};

function parse(change: Record<string, string | undefined>, more = ""): unknown {
  const entries = Object.entries({ ...good, ...change }).filter(([, value]) => value !== undefined);
  const form = new URLSearchParams(`${new URLSearchParams(entries as [string, string][])}${more}`);
  checkNoRepeats(form);
  return parseExchangeParameters(form);
}

test("reads a full request", () => {
  expect(
    parse(
      {
        actor_token: "a",
        actor_token_type: `${urn}:token-type:access_token`,
        scope: "read  write read",
        requested_token_type: `${urn}:token-type:jwt`,
        unknown: "ignored",
      },
      "&audience=one&audience=two&resource=https%3A%2F%2Fapi.example%2Fx%3Fy",
    ),
  ).toEqual({
    subjectToken: { name: "subject_token", token: "t", type: `${urn}:token-type:jwt` },
    actorToken: { name: "actor_token", token: "a", type: `${urn}:token-type:access_token` },
    requestedTokenType: `${urn}:token-type:jwt`,
    audiences: ["one", "two"],
    resources: ["https://api.example/x?y"],
    scope: ["read", "write"],
  });
});

test("treats an empty value as absent", () => {
  expect(parse({ actor_token: "", actor_token_type: "", scope: "", audience: "" })).toEqual(
    parse({}),
  );
  expect(parse({}, "&subject_token=")).toEqual(parse({}));
});

test.each([
  ["no grant_type", { grant_type: undefined }, "", "invalid_request"],
  ["another grant", { grant_type: "client_credentials" }, "", "unsupported_grant_type"],
  ["no subject_token", { subject_token: undefined }, "", "invalid_request"],
  ["an empty subject_token", { subject_token: "" }, "", "invalid_request"],
  ["no subject_token_type", { subject_token_type: undefined }, "", "invalid_request"],
  ["SAML", { subject_token_type: `${urn}:token-type:saml2` }, "", "invalid_request"],
  ["an actor without type", { actor_token: "a" }, "", "invalid_request"],
  ["an actor type alone", { actor_token_type: `${urn}:token-type:jwt` }, "", "invalid_request"],
  [
    "a refresh token wanted",
    { requested_token_type: `${urn}:token-type:refresh_token` },
    "",
    "invalid_request",
  ],
  ["a repeated grant_type", {}, `&grant_type=${good.grant_type}`, "invalid_request"],
  ["a repeated subject_token", {}, "&subject_token=u", "invalid_request"],
  ["a repeated scope", { scope: "a" }, "&scope=b", "invalid_request"],
  ["a repeated unknown parameter", {}, "&x=1&x=2", "invalid_request"],
  ["a quote in the scope", { scope: 'a "b' }, "", "invalid_scope"],
  ["an accent in the scope", { scope: "é" }, "", "invalid_scope"],
  ["a relative resource", { resource: "/api" }, "", "invalid_target"],
  ["a resource with fragment", { resource: "https://api.example/#x" }, "", "invalid_target"],
])("rejects %s", (_name, change, more, code) => {
  expect(() => parse(change, more)).toThrow(expect.objectContaining({ oauthCode: code }));
});

test("escapes parameter names in errors", () => {
  expect(() => parse({}, '&a"\\é%00=1&a"\\é%00=2')).toThrow(
    "parameter must not be repeated: a????",
  );
});

test("never grants more scope than the subject token has", () => {
  expect(grantScope(undefined, ["a", "b"])).toEqual(["a", "b"]);
  expect(grantScope(["a"], ["a", "b"])).toEqual(["a"]);
  expect(grantScope(undefined, undefined)).toBeUndefined();
  for (const held of [["a"], [], undefined]) {
    expect(() => grantScope(["a", "admin"], held)).toThrow(
      expect.objectContaining({ oauthCode: "invalid_scope" }),
    );
  }
});

test("grants audiences of the list only, the first by default", () => {
  expect(grantAudience([], ["a", "b"])).toEqual(["a"]);
  expect(grantAudience(["b", "a", "b"], ["a", "b"])).toEqual(["b", "a"]);
  expect(() => grantAudience(["a", "c"], ["a", "b"])).toThrow(
    expect.objectContaining({ oauthCode: "invalid_target" }),
  );
});
