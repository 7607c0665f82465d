import { context, type Link, ROOT_CONTEXT, SpanKind, type Tracer, trace } from "@opentelemetry/api";
import type { PeerHost } from "@parsec/core";
import {
  describeAnswer,
  invalidationAttributes,
  lookupAttributes,
  spanNames,
} from "./peer-span.ts";
import { inSpan } from "./span-scope.ts";
import { withMethods } from "./with-methods.ts";

/** A host whose answers are server spans, with the fetch from the origin beneath them. */
export function tracedHost(host: PeerHost, tracer: Tracer): PeerHost {
  return withMethods(host, {
    lookup(lookup, options) {
      return inSpan(
        tracer,
        {
          name: spanNames.lookup,
          kind: SpanKind.SERVER,
          attributes: lookupAttributes(lookup),
          ...arrival(),
        },
        { run: () => host.lookup(lookup, options), describe: describeAnswer },
      );
    },
    invalidate(invalidation) {
      inSpan(
        tracer,
        {
          name: spanNames.invalidate,
          kind: SpanKind.SERVER,
          attributes: invalidationAttributes(invalidation),
          ...arrival(),
        },
        { run: () => host.invalidate(invalidation) },
      );
    },
  });
}

/**
 * What is active while a peer's request is served is the connection or the frame it came with, which
 * many share and which may be days old: worth a link, but no parent.
 */
function arrival(): { readonly parent: typeof ROOT_CONTEXT; readonly links: Link[] } {
  const active = trace.getSpanContext(context.active());
  return { parent: ROOT_CONTEXT, links: active === undefined ? [] : [{ context: active }] };
}
