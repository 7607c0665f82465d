import {
  type Attributes,
  context,
  SpanKind,
  SpanStatusCode,
  type Tracer,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";

/** A tracer that records its spans. */
export interface RecordedSpans {
  readonly tracer: Tracer;
  /** The ended spans, in the order in which they ended. */
  all(): ReadableSpan[];
  /** The ended spans of one kind, in a form that tests can compare. */
  of(kind: "CLIENT" | "SERVER" | "INTERNAL"): SpanSummary[];
  close(): Promise<void>;
}

export interface SpanSummary {
  readonly name: string;
  readonly attributes: Attributes;
  readonly failed: boolean;
}

/** Records spans. Until closed, it also propagates the active span across promises in this process. */
export function recordSpans(): RecordedSpans {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return {
    tracer: provider.getTracer("test"),
    all: () => exporter.getFinishedSpans(),
    of: (kind) =>
      exporter
        .getFinishedSpans()
        .filter((span) => span.kind === SpanKind[kind])
        .map(({ name, attributes, status }) => ({
          name,
          attributes,
          failed: status.code === SpanStatusCode.ERROR,
        })),
    async close() {
      context.disable();
      await provider.shutdown();
    },
  };
}
