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
    traceparent: undefined,
    tracestate: undefined,
  });
});
