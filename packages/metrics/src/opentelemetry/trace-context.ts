import {
  type Context,
  createTraceState,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
} from "@opentelemetry/api";
import type { PeerTrace } from "@parsec/core";
import { readPeerTrace } from "@parsec/core/transport";

/*
 * The propagator that the application has registered writes and reads what peers send each other. If
 * that is not W3C's, or there is none, these functions do it in its place: peers have no other
 * headers, and a trace that ends at the next peer is of no use to anybody.
 */

/** What a peer is told of the span in `scope`; undefined when there is none, such as without an SDK. */
export function traceOf(scope: Context): PeerTrace | undefined {
  const spanContext = trace.getSpanContext(scope);
  if (spanContext === undefined || !isSpanContextValid(spanContext)) return undefined;
  const carrier: Record<string, unknown> = {};
  propagation.inject(scope, carrier);
  return readPeerTrace(carrier) ?? readPeerTrace(headersOf(spanContext));
}

/** The context in which the asker's span is the parent; undefined when the asker is not traced. */
export function contextOf(peerTrace: PeerTrace | undefined): Context | undefined {
  if (peerTrace === undefined) return undefined;
  const extracted = propagation.extract(ROOT_CONTEXT, peerTrace);
  if (trace.getSpanContext(extracted) !== undefined) return extracted;
  const spanContext = spanContextOf(peerTrace);
  return spanContext && trace.setSpanContext(ROOT_CONTEXT, spanContext);
}

function headersOf({ traceId, spanId, traceFlags, traceState }: SpanContext): PeerTrace {
  const flags = traceFlags.toString(16).padStart(2, "0");
  return {
    traceparent: `00-${traceId}-${spanId}-${flags}`,
    tracestate: traceState?.serialize(),
  };
}

function spanContextOf(peerTrace: PeerTrace): SpanContext | undefined {
  const headers = readPeerTrace(peerTrace);
  if (headers === undefined) return undefined;
  const { traceparent, tracestate } = headers;
  const [, traceId = "", spanId = "", flags = ""] = traceparent.split("-");
  return {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  };
}
