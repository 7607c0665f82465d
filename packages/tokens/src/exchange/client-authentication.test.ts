import { expect, test } from "vitest";
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

test.each([
  ["a wrong secret", basic("billing", "wrong"), {}],
  ["an unknown client", basic("nobody", "s3cret"), {}],
  ["an empty secret of an unknown client", basic("nobody", ""), {}],
  ["a bearer token", "Bearer x", {}],
  ["broken Base64", "Basic !!!", {}],
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
  expect(open.authenticate(undefined, form({ client_id: "app" }))).toEqual({ id: "app" });

  const mixed = createClientAuthenticator({ clients, allowUnregistered: true });
  expect(mixed.authenticate(undefined, form({ client_id: "app" }))).toEqual({ id: "app" });
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
