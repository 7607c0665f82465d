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

/** Adds client spans to the calls of a peer, as children of the caller's span, and sends their context to the peer. */
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
  const trace = traceOf(scope);
  return trace === undefined ? call : { ...call, trace };
}
