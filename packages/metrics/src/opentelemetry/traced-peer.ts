import { context, SpanKind, type Tracer } from "@opentelemetry/api";
import type { Peer } from "@parsec/core";
import {
  describeAnswer,
  invalidationAttributes,
  lookupAttributes,
  peerIdAttribute,
  spanNames,
} from "./peer-span.ts";
import { inSpan } from "./span-scope.ts";
import { withMethods } from "./with-methods.ts";

/** A peer whose calls are client spans beneath the caller's own. */
export function tracedPeer(peer: Peer, tracer: Tracer): Peer {
  return withMethods(peer, {
    lookup(lookup, options) {
      return inSpan(
        tracer,
        {
          name: spanNames.lookup,
          kind: SpanKind.CLIENT,
          attributes: { ...lookupAttributes(lookup), [peerIdAttribute]: peer.id },
          parent: context.active(),
        },
        { run: () => peer.lookup(lookup, options), describe: describeAnswer },
      );
    },
    invalidate(invalidation, options) {
      return inSpan(
        tracer,
        {
          name: spanNames.invalidate,
          kind: SpanKind.CLIENT,
          attributes: { ...invalidationAttributes(invalidation), [peerIdAttribute]: peer.id },
          parent: context.active(),
        },
        { run: () => peer.invalidate(invalidation, options) },
      );
    },
  });
}
