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
 * The application's propagator writes and reads the trace context between peers. If it does not use
 * W3C's headers, or there is none, these functions write and read them instead: peers have no other
 * headers, and otherwise every trace would end at the next peer.
 */

/** The trace context of the span in `scope`, to be sent to a peer; undefined without a span, such as without an SDK. */
export function traceOf(scope: Context): PeerTrace | undefined {
  const spanContext = trace.getSpanContext(scope);
  if (spanContext === undefined || !isSpanContextValid(spanContext)) return undefined;
  const carrier: Record<string, unknown> = {};
  propagation.inject(scope, carrier);
  return readPeerTrace(carrier) ?? readPeerTrace(headersOf(spanContext));
}

/** A context with the client's span as parent; undefined when the client does not trace. */
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
