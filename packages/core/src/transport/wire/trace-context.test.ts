import { describe, expect, it } from "vitest";
import { readPeerTrace } from "./trace-context.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const traceparent = `00-${traceId}-${spanId}-01`;

describe("readPeerTrace", () => {
  it("parses the two headers of W3C trace context", () => {
    const tracestate = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";
    expect(readPeerTrace({ traceparent, tracestate })).toEqual({ traceparent, tracestate });
    expect(readPeerTrace({ traceparent })).toEqual({ traceparent, tracestate: undefined });
    const later = `cc-${traceId}-${spanId}-03`;
    expect(readPeerTrace({ traceparent: later })?.traceparent).toBe(later);
  });

  it.each([
    ["nothing", undefined],
    ["no text", 55],
    ["several headers", [traceparent]],
    ["two headers in one", `${traceparent}, ${traceparent}`],
    ["nonsense", "x".repeat(55)],
    ["the version that must not be", `ff-${traceId}-${spanId}-01`],
    ["capital letters", traceparent.toUpperCase()],
    ["a trace of zeros", `00-${"0".repeat(32)}-${spanId}-01`],
    ["a span of zeros", `00-${traceId}-${"0".repeat(16)}-01`],
    ["more than 55 characters", `${traceparent}-00`],
    ["a character less", traceparent.slice(1)],
    ["a line end", `${traceparent}\n`],
  ])("takes no traceparent that is %s", (_, given) => {
    expect(readPeerTrace({ traceparent: given, tracestate: "v=1" })).toBeUndefined();
  });

  it.each([
    ["empty", ""],
    ["longer than 512 bytes", "x".repeat(513)],
    ["beyond ASCII", "v=é"],
    ["a header and more", "v=1\r\nx-admin: 1"],
    ["no text", ["v=1"]],
  ])("goes without a tracestate that is %s", (_, tracestate) => {
    expect(readPeerTrace({ traceparent, tracestate })).toEqual({
      traceparent,
      tracestate: undefined,
    });
  });
});
