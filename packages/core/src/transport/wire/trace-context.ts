import type { PeerTrace } from "../../peer.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

/** The length of a traceparent of version 00, whose fields all have fixed lengths. */
const traceparentBytes = 55;
/** The length of a tracestate that W3C requires implementations to propagate. */
const maxTracestateBytes = 512;

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

/** Appends a trace that `readPeerTrace` has validated. */
export function writeTrace(writer: ByteWriter, { traceparent, tracestate }: PeerTrace): void {
  writer.reserve(2);
  const lengthAt = writer.length;
  writer.u16(0);
  const length = writer.key(traceparent);
  writer.patchU16(lengthAt, tracestate === undefined ? length : length + writer.key(tracestate));
}

/** Reads a trace. Returns undefined for an invalid one, because the lookup must be answered nevertheless. */
export function readTrace(reader: ByteReader): PeerTrace | undefined {
  reader.need(2, "a trace's length");
  const length = reader.u16();
  reader.need(length, "a trace");
  const bytes = reader.bytes(length);
  if (length < traceparentBytes || length > traceparentBytes + maxTracestateBytes) return undefined;
  return readPeerTrace({
    traceparent: bytes.toString("latin1", 0, traceparentBytes),
    tracestate: bytes.toString("latin1", traceparentBytes),
  });
}
