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

/** A tracer whose spans a test can read. */
export interface RecordedSpans {
  readonly tracer: Tracer;
  /** Those that have ended, in that order. */
  all(): ReadableSpan[];
  /** The ended spans of one kind, as a test likes to compare them. */
  of(kind: "CLIENT" | "SERVER" | "INTERNAL"): SpanSummary[];
  close(): Promise<void>;
}

export interface SpanSummary {
  readonly name: string;
  readonly attributes: Attributes;
  readonly failed: boolean;
}

/** Also keeps track of what is active across promises, for this whole process until it is closed. */
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
