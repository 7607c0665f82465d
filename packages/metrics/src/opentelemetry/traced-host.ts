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

/** Adds server spans to a host. Spans of origin fetches become their children. */
export function tracedHost(host: PeerHost, tracer: Tracer): PeerHost {
  return withMethods(host, {
    lookup(lookup, options) {
      return inSpan(
        tracer,
        {
          name: spanNames.lookup,
          kind: SpanKind.SERVER,
          attributes: lookupAttributes(lookup),
          ...parentAndLinks(lookup.trace),
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
          ...parentAndLinks(invalidation.trace),
        },
        { run: () => host.invalidate(invalidation) },
      );
    },
  });
}

/**
 * Parent and links of a server span. The parent is the client's span. The active span may belong to a
 * connection or frame that many requests share, so it is only linked.
 */
function parentAndLinks(peerTrace: PeerTrace | undefined): {
  readonly parent: Context;
  readonly links: Link[];
} {
  const parent = contextOf(peerTrace) ?? ROOT_CONTEXT;
  const active = trace.getSpanContext(context.active());
  const isOther = active !== undefined && active.spanId !== trace.getSpanContext(parent)?.spanId;
  return { parent, links: isOther ? [{ context: active }] : [] };
}
