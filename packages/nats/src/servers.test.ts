import { expect, it } from "vitest";
import { resolveServers } from "./servers.ts";

it("uses the client's default server without options", () => {
  expect(resolveServers(undefined, undefined)).toEqual({
    connect: { servers: ["127.0.0.1:4222"] },
    identified: false,
  });
});

it("extracts user and password from the URL", () => {
  const { connect, identified } = resolveServers("nats://us%40er:p%3Ass:w@host:4222", undefined);
  expect(connect).toEqual({ servers: ["host:4222"], user: "us@er", pass: "p:ss:w" });
  expect(identified).toBe(true);
  expect(resolveServers("t0ken@host", undefined).connect).toEqual({
    servers: ["host"],
    token: "t0ken",
  });
});

it("accepts several servers, as a list or with commas, and TLS by the scheme", () => {
  const expected = { servers: ["a:1", "[::1]:2", "c"], tls: {} };
  expect(resolveServers(["a:1", "tls://[::1]:2/", "nats://c"], undefined).connect).toEqual(
    expected,
  );
  expect(resolveServers("a:1, tls://[::1]:2, c", undefined).connect).toEqual(expected);
});

it("prefers what the connection options say", () => {
  const tls = { ca: "pem" };
  const { connect } = resolveServers("tls://u:p@a", { user: "other", pass: "x", tls });
  expect(connect).toEqual({ servers: ["a"], user: "other", pass: "x", tls });
});

it("counts as identified by user, token, authenticator or certificate, but not by TLS alone", () => {
  const identified = (options: Parameters<typeof resolveServers>[1]): boolean =>
    resolveServers("host", options).identified;
  expect(identified({ token: "t" })).toBe(true);
  expect(identified({ authenticator: () => ({ user: "u" }) })).toBe(true);
  expect(identified({ tls: { certFile: "cert.pem", keyFile: "key.pem" } })).toBe(true);
  expect(identified({ tls: { ca: "pem" } })).toBe(false);
  expect(identified({ tls: null })).toBe(false);
});

it.each([
  [[], "non-empty array"],
  [7, "non-empty array"],
  [["host", 7], "servers[1] must be a URL"],
  ["http://host:80", "servers[0] must be a URL"],
  ["nats://u:p@h/path", "servers[0] must be a URL"],
  ["nats://hunter2%@host", "percent escape"],
  ["", "servers[0] must be a URL"],
])("refuses %j without repeating a password", (servers, message) => {
  const attempt = () => resolveServers(servers as string, undefined);
  expect(attempt).toThrow(message);
  expect(attempt).not.toThrow("hunter2");
});
