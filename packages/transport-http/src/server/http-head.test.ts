import { expect, it } from "vitest";
import { readHead } from "./http-head.ts";

it("reads the headers, whatever the case of their names", () => {
  const head = readHead([
    "HOST",
    "h:1",
    "Content-Type",
    "t",
    "content-length",
    "12",
    "Content-Encoding",
    "gzip",
    "Authorization",
    "a",
    "X-Other",
    "o",
  ]);
  expect(head).toEqual({
    host: "h:1",
    authorization: "a",
    contentType: "t",
    contentEncoding: "gzip",
    contentLength: 12,
    isForwarded: false,
    closes: false,
    traceparent: undefined,
    tracestate: undefined,
  });
});

it("uses the first of repeated headers, as Node does", () => {
  const head = readHead([
    "host",
    "first",
    "host",
    "second",
    "authorization",
    "1",
    "Authorization",
    "2",
  ]);
  expect([head.host, head.authorization]).toEqual(["first", "1"]);
});

it("joins repeated tracestate headers", () => {
  const head = readHead([
    "Traceparent",
    "1",
    "tracestate",
    "a=1",
    "traceparent",
    "2",
    "tracestate",
    "b=2",
  ]);
  expect([head.traceparent, head.tracestate]).toEqual(["1", "a=1,b=2"]);
});

it("detects a forwarded request by either header of a proxy", () => {
  expect(readHead(["X-Forwarded-For", "10.0.0.1"]).isForwarded).toBe(true);
  expect(readHead(["Forwarded", ""]).isForwarded).toBe(true);
});

it("has no values for empty headers", () => {
  expect(readHead([])).toEqual({
    host: "",
    authorization: undefined,
    contentType: "",
    contentEncoding: undefined,
    contentLength: Number.NaN,
    isForwarded: false,
    closes: false,
    traceparent: undefined,
    tracestate: undefined,
  });
});

it.each([
  ["Via", "1.1 proxy"],
  ["Forwarded", "for=192.0.2.1"],
  ["X-Forwarded-For", "192.0.2.1"],
  ["x-forwarded-host", "example.com"],
  ["X-Real-IP", "192.0.2.1"],
  ["CF-Connecting-IP", "192.0.2.1"],
  ["Origin", "https://example.com"],
])("notices the header %s, which a proxy or a browser adds", (name, value) => {
  expect(readHead(["Host", "h", name, value]).isForwarded).toBe(true);
});

it.each([
  ["close", true],
  ["Close, Te", true],
  ["keep-alive", false],
])("notices whether the client closes the connection (%s)", (value, closes) => {
  expect(readHead(["Host", "h", "Connection", value]).closes).toBe(closes);
});
