import { keyFromBytes, keyToBytes } from "@parsec/core/transport";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Dialect,
  escapeSegment,
  parseTarget,
  statusOf,
  unescapeSegment,
} from "./http-wire.ts";

const bytes = (text: string): Buffer => Buffer.from(keyToBytes(text));

describe("a path segment", () => {
  it.each([
    ["a b", "a%20b"],
    ["a+b", "a%2Bb"],
    ["x/y?z=1&é%", "x%2Fy%3Fz%3D1%26%C3%A9%25"],
    ["", ""],
    ["user:12345", "user%3A12345"],
    ["A-Z_a~z.0", "A-Z_a~z.0"],
    [".", "%2E"],
    ["..", "%2E%2E"],
    ["...", "..."],
    ["a..b", "a..b"],
    ["//", "%2F%2F"],
    ["日本", "%E6%97%A5%E6%9C%AC"],
    ["\udcff\udcfe", "%FF%FE"],
    ["\0\n", "%00%0A"],
  ])("is escaped: %j as %j", (key, escaped) => {
    expect(escapeSegment(bytes(key))).toBe(escaped);
    for (const dialect of ["native", "golang", "mailgun"] as const) {
      expect(unescapeSegment(escaped, dialect)).toEqual(bytes(key));
    }
  });

  it("round-trips any bytes in every dialect", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (raw) => {
        const escaped = escapeSegment(raw);
        expect(escaped).toMatch(/^(?:[A-Za-z0-9\-_.~]|%[0-9A-F]{2})*$/);
        for (const dialect of ["native", "golang", "mailgun"] as const) {
          expect(unescapeSegment(escaped, dialect)).toEqual(Buffer.from(raw));
        }
        expect(decodeURIComponent(escaped.replace(/%[89A-F]./g, ""))).toBe(
          Buffer.from(raw.filter((byte) => byte < 0x80)).toString(),
        );
      }),
    );
  });

  it.each([
    ["QueryEscape", "a+b", "golang", "a b"],
    ["QueryEscape", "a%2Bb", "golang", "a+b"],
    ["QueryEscape", "x%2Fy%3Fz%3D1%26%C3%A9%25", "golang", "x/y?z=1&é%"],
    ["PathEscape", "a%20b", "mailgun", "a b"],
    ["PathEscape", "a+b", "mailgun", "a+b"],
    ["PathEscape", "x%2Fy%3Fz=1&%C3%A9%25", "mailgun", "x/y?z=1&é%"],
    ["any other escaping", "a+b", "native", "a+b"],
  ])("escaped by %s as %j is decoded in dialect %s as %j", (_, raw, dialect, key) => {
    expect(keyFromBytes(unescapeSegment(raw, dialect as Dialect) as Buffer)).toBe(key);
  });

  it.each(["%", "%1", "%zz", "a%2", "%%20", "% 20", "%+1"])("is rejected when it is %j", (raw) => {
    expect(unescapeSegment(raw, "native")).toBeUndefined();
  });
});

describe("a request target", () => {
  const options = { basePath: "/_groupcache/", dialect: "native" as const };
  const value = (group: string, key: string) => ({
    kind: "value",
    group: bytes(group),
    key: bytes(key),
  });

  it.each([
    ["/_groupcache/", { kind: "base" }],
    ["/_groupcache/?x=1", { kind: "base" }],
    ["/_groupcache", { kind: "outside" }],
    ["/", { kind: "outside" }],
    ["", { kind: "outside" }],
    ["*", { kind: "outside" }],
    ["/other/_groupcache/", { kind: "outside" }],
    ["/_groupcache/g", { kind: "malformed" }],
    ["/_groupcache/g%2Fk", { kind: "malformed" }],
    ["/_groupcache/g/%zz", { kind: "malformed" }],
    ["/_groupcache/%/k", { kind: "malformed" }],
    ["/_groupcache/g/k", value("g", "k")],
    ["/_groupcache/g/", value("g", "")],
    ["/_groupcache//k", value("", "k")],
    ["/_groupcache/g//k", value("g", "/k")],
    ["/_groupcache/g/a/b/", value("g", "a/b/")],
    ["/_groupcache/a%2Fb/k", value("a/b", "k")],
    ["/_groupcache/g/..", value("g", "..")],
    ["/_groupcache/g/%2e%2e", value("g", "..")],
    ["/_groupcache/g/../x", value("g", "../x")],
    ["/_groupcache/g/k?q=/x", value("g", "k")],
    ["/_groupcache/g/a#b", value("g", "a#b")],
    ["http://host:1/_groupcache/g/k", value("g", "k")],
    ["http://host", { kind: "outside" }],
    ["/_groupcache/datasource%3Ausers/%ff%fe", value("datasource:users", "\udcff\udcfe")],
    ["/_groupcache/g/\xff", value("g", "\udcff")],
  ])("is parsed: %j as %j", (target, expected) => {
    expect(parseTarget(target, options)).toEqual(expected);
  });
});

it("maps error codes to HTTP statuses, others to 500", () => {
  expect(statusOf("NO_SUCH_GROUP")).toBe(404);
  expect(statusOf("ORIGIN_FAILED")).toBe(500);
  expect(statusOf("OVERLOADED")).toBe(503);
  expect(statusOf("MALFORMED_FRAME")).toBe(400);
});
