import { type PeerTrace, readPeerTrace } from "@parsec/core";

/** The two headers of a GET that is part of a trace; none when it is not one that fits a header. */
export function traceHeaders(trace: PeerTrace): readonly string[] {
  const fit = readPeerTrace(trace);
  if (fit === undefined) return [];
  const { traceparent, tracestate } = fit;
  return tracestate === undefined
    ? ["traceparent", traceparent]
    : ["traceparent", traceparent, "tracestate", tracestate];
}
