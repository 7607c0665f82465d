import { describe, expect, test } from "vitest";
import { createClientAuthenticator } from "./client-authentication.ts";

const clients = [
  { id: "billing", secret: "s3cret" },
  { id: "a:b c", secret: "ü/+%" },
];
const basic = (id: string, secret: string): string => {
  const encode = (text: string): string => encodeURIComponent(text).replaceAll("%20", "+");
  return `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString("base64")}`;
};
const form = (entries: Record<string, string> = {}): URLSearchParams =>
  new URLSearchParams(entries);

test("accepts the secret in the header or in the body", () => {
  const closed = createClientAuthenticator({ clients });
  expect(closed.methods).toEqual(["client_secret_basic", "client_secret_post"]);
  expect(closed.authenticate(basic("billing", "s3cret"), form())).toEqual({ id: "billing" });
  expect(closed.authenticate(basic("a:b c", "ü/+%"), form())).toEqual({ id: "a:b c" });
  const post = form({ client_id: "billing", client_secret: "s3cret" });
  expect(closed.authenticate(undefined, post)).toEqual({ id: "billing" });
  expect(
    closed.authenticate(
      basic("billing", "s3cret").replace("Basic", "bAsIc"),
      form({ client_id: "billing" }),
    ),
  ).toEqual({ id: "billing" });
});

const raw = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

describe("accepts credentials that are not form-encoded, as of curl -u", () => {
  test.each([
    ["with colons", "s:e:c:"],
    ["with a percent sign", "100%"],
    ["that would be decoded", "abc%20def"],
    ["with a plus", "a+b"],
    ["with both", "a+b%2"],
    ["with a slash and a space", "a/ b"],
    ["beyond ASCII", "üñ🦉"],
    ["with a byte order mark", "\ufeffx"],
  ])("a secret %s", (_name, secret) => {
    const closed = createClientAuthenticator({ clients: [{ id: "app+1", secret }] });
    const header = raw(`app+1:${secret}`);
    expect(closed.authenticate(header, form())).toEqual({ id: "app+1" });
    expect(closed.authenticate(header, form({ client_id: "app+1" }))).toEqual({ id: "app+1" });
    expect(closed.authenticate(header.replaceAll("=", ""), form())).toEqual({ id: "app+1" });
    expect(closed.authenticate(basic("app+1", secret), form())).toEqual({ id: "app+1" });
    const halfEncoded = raw(`app+1:${encodeURIComponent(secret)}`);
    expect(closed.authenticate(halfEncoded, form())).toEqual({ id: "app+1" });
  });

  test("but takes the reading of RFC 6749 first", () => {
    const two = [
      { id: "a b", secret: "same" },
      { id: "a+b", secret: "same" },
    ];
    const closed = createClientAuthenticator({ clients: two });
    expect(closed.authenticate(raw("a+b:same"), form())).toEqual({ id: "a b" });
    expect(closed.authenticate(raw("a+b:same"), form({ client_id: "a+b" }))).toEqual({ id: "a+b" });
  });
});

test.each([
  ["a wrong secret", basic("billing", "wrong"), {}],
  ["an unknown client", basic("nobody", "s3cret"), {}],
  ["an empty secret of an unknown client", basic("nobody", ""), {}],
  ["a bearer token", "Bearer x", {}],
  ["broken Base64", "Basic !!!", {}],
  ["Base64 with unused bits", raw("billing:s3cret").replace(/Q=$/, "R="), {}],
  ["bytes that are not UTF-8", `Basic ${Buffer.from("a:\xff", "latin1").toString("base64")}`, {}],
  [
    "another scheme with the right credentials",
    basic("billing", "s3cret").replace("Basic", "Digest"),
    {},
  ],
  ["no scheme", basic("billing", "s3cret").replace("Basic ", ""), {}],
  ["an empty header", "", {}],
  ["only a scheme", "Basic", {}],
  ["no colon", `Basic ${Buffer.from("billing").toString("base64")}`, {}],
  ["a broken escape", `Basic ${Buffer.from("billing:%zz").toString("base64")}`, {}],
  ["a wrong secret in the body", undefined, { client_id: "billing", client_secret: "x" }],
  ["a secret without a name", undefined, { client_secret: "s3cret" }],
  ["no credentials", undefined, {}],
  ["only a name", undefined, { client_id: "billing" }],
  ["an assertion", undefined, { client_id: "billing", client_assertion: "x.y.z" }],
])("rejects %s", (_name, header, body) => {
  const closed = createClientAuthenticator({ clients });
  expect(() => closed.authenticate(header, form(body as Record<string, string>))).toThrow(
    expect.objectContaining({ oauthCode: "invalid_client" }),
  );
});

test("rejects two authentication methods in one request", () => {
  const closed = createClientAuthenticator({ clients });
  for (const body of [{ client_secret: "s3cret" }, { client_id: "someone-else" }]) {
    expect(() => closed.authenticate(basic("billing", "s3cret"), form(body as never))).toThrow(
      expect.objectContaining({ oauthCode: "invalid_request" }),
    );
  }
});

test("serves unregistered callers without clients or with allowUnregistered, but never under a client's id", () => {
  const open = createClientAuthenticator({});
  expect(open.methods).toEqual(["none"]);
  expect(open.authenticate(undefined, form())).toEqual({ id: undefined });
  expect(open.authenticate(undefined, form({ client_id: "app" }))).toEqual({ id: undefined });

  const mixed = createClientAuthenticator({ clients, allowUnregistered: true });
  expect(mixed.authenticate(undefined, form({ client_id: "app" }))).toEqual({ id: undefined });
  expect(() => mixed.authenticate(undefined, form({ client_id: "billing" }))).toThrow(
    expect.objectContaining({ oauthCode: "invalid_client" }),
  );
});

test("rejects options with a missing id or secret, or a repeated id", () => {
  for (const bad of [
    [{ id: "", secret: "x" }],
    [{ id: "a", secret: "" }],
    [...clients, ...clients],
  ]) {
    expect(() => createClientAuthenticator({ clients: bad })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  }
});
