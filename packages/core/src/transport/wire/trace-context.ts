import type { PeerTrace } from "../../peer.ts";

/** Of version 00 and, as far as anyone knows them, of later ones: all fields are of a fixed length. */
export const traceparentBytes = 55;
/** What W3C asks everybody to carry of a tracestate. */
export const maxTracestateBytes = 512;

const traceparentForm = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;
const printable = /^[\x20-\x7e]+$/;

/**
 * The trace that W3C's two headers name, whoever wrote them; undefined when `traceparent` is none.
 * A `tracestate` that is empty, not printable ASCII or longer than 512 bytes is left out. For
 * transports, whose calls must not fail for what a trace contains. Never throws.
 * See https://www.w3.org/TR/trace-context/.
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
