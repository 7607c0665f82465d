import type { PeerTrace } from "../../peer.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { maxTracestateBytes, readPeerTrace, traceparentBytes } from "./trace-context.ts";

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
