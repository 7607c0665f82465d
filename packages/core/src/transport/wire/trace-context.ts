import type { PeerTrace } from "../../peer.ts";

/** The length of a traceparent of version 00, whose fields all have fixed lengths. */
export const traceparentBytes = 55;
/** The length of a tracestate that W3C requires implementations to propagate. */
export const maxTracestateBytes = 512;

const traceparentForm = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;
const printable = /^[\x20-\x7e]+$/;

/**
 * Parses the two headers of W3C trace context (https://www.w3.org/TR/trace-context/), for transports. Returns
 * undefined for an invalid `traceparent`, and omits a `tracestate` that is empty, longer than 512 bytes or
 * not printable ASCII. Never throws: calls must not fail because of a trace.
 */
export function readPeerTrace(headers: {
  readonly traceparent?: unknown;
  readonly tracestate?: unknown;
}): PeerTrace | undefined {
  const { traceparent, tracestate } = headers;
  if (typeof traceparent !== "string" || traceparent.length !== traceparentBytes) return undefined;
  if (!traceparentForm.test(traceparent)) return undefined;
  const isCarried =
    typeof tracestate === "string" &&
    tracestate.length <= maxTracestateBytes &&
    printable.test(tracestate);
  return { traceparent, tracestate: isCarried ? tracestate : undefined };
}
