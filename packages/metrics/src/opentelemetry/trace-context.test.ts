import {
  createTraceState,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  type TextMapPropagator,
  trace,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import type { PeerTrace } from "@parsec/core";
import { afterEach, describe, expect, it } from "vitest";
import { contextOf, traceOf } from "./trace-context.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

function headers(flags: string, tracestate?: string): PeerTrace {
  return { traceparent: `00-${traceId}-${spanId}-${flags}`, tracestate };
}

/** The trace context sent to a peer for such a span. */
function sent(over: Partial<SpanContext> = {}): PeerTrace | undefined {
  const span = { traceId, spanId, traceFlags: 1, ...over };
  return traceOf(trace.setSpanContext(ROOT_CONTEXT, span));
}

function understood(given: PeerTrace | undefined): SpanContext | undefined {
  const context = contextOf(given);
  return context && trace.getSpanContext(context);
}

/** A propagator that does not use W3C's headers. */
const singleHeader: TextMapPropagator = {
  inject: (_, carrier, setter) => setter.set(carrier, "b3", `${traceId}-${spanId}-1`),
  extract: (context) => context,
  fields: () => ["b3"],
};

afterEach(() => propagation.disable());

describe.each([
  ["W3C's propagator", new W3CTraceContextPropagator()],
  ["no propagator", undefined],
  ["a propagator of another kind", singleHeader],
])("with %s", (_, propagator) => {
  const register = (): void => {
    if (propagator !== undefined) propagation.setGlobalPropagator(propagator);
  };

  it("propagates a span, sampled or not", () => {
    register();
    for (const [traceFlags, flags] of [
      [1, "01"],
      [0, "00"],
    ] as const) {
      expect(sent({ traceFlags })).toEqual(headers(flags));
      expect(understood(headers(flags))).toEqual({ traceId, spanId, traceFlags, isRemote: true });
    }
  });

  it("propagates the trace state up to the size limit", () => {
    register();
    const traceState = createTraceState("rojo=1,congo=2");
    expect(sent({ traceState })).toEqual(headers("01", "rojo=1,congo=2"));
    expect(understood(headers("01", "rojo=1,congo=2"))?.traceState?.get("congo")).toBe("2");
    const long = Object.assign(createTraceState(), { serialize: () => "x".repeat(513) });
    expect(sent({ traceState: long })).toEqual(headers("01"));
  });

  it("sends nothing without a span", () => {
    register();
    expect(traceOf(ROOT_CONTEXT)).toBeUndefined();
    expect(sent({ traceId: "0".repeat(32) })).toBeUndefined();
  });

  it.each([
    undefined,
    { traceparent: "nonsense", tracestate: undefined },
    { traceparent: `00-${traceId}-${"0".repeat(16)}-01`, tracestate: undefined },
  ])("has no context for the invalid headers %j", (given) => {
    register();
    expect(understood(given)).toBeUndefined();
  });
});

it("uses the headers of the registered propagator if they are W3C's", () => {
  const other = `00-${"1".repeat(32)}-${"2".repeat(16)}-01`;
  propagation.setGlobalPropagator({
    inject: (_, carrier, setter) => {
      setter.set(carrier, "traceparent", other);
      setter.set(carrier, "tracestate", "vendor=1");
      setter.set(carrier, "baggage", "user=1");
    },
    extract: (context) =>
      trace.setSpanContext(context, { traceId, spanId: "3".repeat(16), traceFlags: 1 }),
    fields: () => ["traceparent", "tracestate", "baggage"],
  });
  expect(sent()).toEqual({ traceparent: other, tracestate: "vendor=1" });
  expect(understood(headers("01"))?.spanId).toBe("3".repeat(16));
});
