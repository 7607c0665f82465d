import type { Attributes, Span } from "@opentelemetry/api";
import type { PeerAnswer, PeerInvalidation, PeerLookup } from "@parsec/core";

/** The same on both sides; the span's kind tells asker and owner apart. */
export const spanNames = { lookup: "parsec.lookup", invalidate: "parsec.invalidate" } as const;

/** Which peer is asked, by the name it has in the membership. */
export const peerIdAttribute = "parsec.peer.id";

// Keys, inputs and tags may be personal data or secrets: they have no attribute.

export function lookupAttributes({ group }: PeerLookup): Attributes {
  return { "group.name": group };
}

export function invalidationAttributes({ group, target }: PeerInvalidation): Attributes {
  return {
    "group.name": group,
    "parsec.invalidation.kind": target.kind,
    ...(target.kind === "keys" ? { "parsec.invalidation.keys": target.keys.length } : {}),
  };
}

export function describeAnswer(span: Span, { value }: PeerAnswer): void {
  span.setAttribute("parsec.found", value !== undefined);
  if (value !== undefined) span.setAttribute("parsec.value.bytes", value.length);
}
