import { type Context, context, SpanKind, type Tracer } from "@opentelemetry/api";
import type { Peer, PeerTrace } from "@parsec/core";
import {
  describeAnswer,
  invalidationAttributes,
  lookupAttributes,
  peerIdAttribute,
  spanNames,
} from "./peer-span.ts";
import { inSpan } from "./span-scope.ts";
import { traceOf } from "./trace-context.ts";
import { withMethods } from "./with-methods.ts";

/** A peer whose calls are client spans beneath the caller's own, and which is told of them. */
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
        {
          run: (scope) => peer.lookup(withTrace(lookup, scope), options),
          describe: describeAnswer,
        },
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
        { run: (scope) => peer.invalidate(withTrace(invalidation, scope), options) },
      );
    },
  });
}

function withTrace<Call extends { readonly trace?: PeerTrace | undefined }>(
  call: Call,
  scope: Context,
): Call {
  const told = traceOf(scope);
  return told === undefined ? call : { ...call, trace: told };
}
