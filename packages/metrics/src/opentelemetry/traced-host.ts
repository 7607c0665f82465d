import {
  type Context,
  context,
  type Link,
  ROOT_CONTEXT,
  SpanKind,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { PeerHost, PeerTrace } from "@parsec/core";
import {
  describeAnswer,
  invalidationAttributes,
  lookupAttributes,
  spanNames,
} from "./peer-span.ts";
import { inSpan } from "./span-scope.ts";
import { contextOf } from "./trace-context.ts";
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
          ...arrival(lookup.trace),
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
          ...arrival(invalidation.trace),
        },
        { run: () => host.invalidate(invalidation) },
      );
    },
  });
}

/**
 * The parent is the asker's span. What is active while its request is served is the connection or the
 * frame it came with, which many share and which may be days old: worth a link, but no parent.
 */
function arrival(peerTrace: PeerTrace | undefined): {
  readonly parent: Context;
  readonly links: Link[];
} {
  const parent = contextOf(peerTrace) ?? ROOT_CONTEXT;
  const active = trace.getSpanContext(context.active());
  const isNews = active !== undefined && active.spanId !== trace.getSpanContext(parent)?.spanId;
  return { parent, links: isNews ? [{ context: active }] : [] };
}
