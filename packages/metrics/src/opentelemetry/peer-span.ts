import type { Attributes, Span } from "@opentelemetry/api";
import type { PeerAnswer, PeerInvalidation, PeerLookup } from "@parsec/core";

/** Span names, the same on both sides; the span kind distinguishes client and owner. */
export const spanNames = { lookup: "parsec.lookup", invalidate: "parsec.invalidate" } as const;

/** Attribute with the id of the peer that receives the request. */
export const peerIdAttribute = "parsec.peer.id";

// Keys, inputs and tags have no attribute, because they may be personal data or secrets.

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
