import {
  type Context,
  context,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { isParsecError } from "@parsec/core";

/**
 * Runs something inside a span that ends with it: at once when it returns, later when it returns a
 * promise. `scope` is the context with the span in it. Of an error only the code is kept, because messages may quote what must not be in a trace.
 */
export function inSpan<Result>(
  tracer: Tracer,
  start: SpanOptions & { readonly name: string; readonly parent: Context },
  work: { run(scope: Context): Result; describe?(span: Span, result: Awaited<Result>): void },
): Result {
  const { name, parent, ...options } = start;
  const span = tracer.startSpan(name, options, parent);
  const scope = trace.setSpan(parent, span);
  const succeed = (result: Awaited<Result>): Awaited<Result> => {
    work.describe?.(span, result);
    span.end();
    return result;
  };
  const fail = (error: unknown): never => {
    endFailed(span, error);
    throw error;
  };
  let result: Result;
  try {
    result = context.with(scope, () => work.run(scope));
  } catch (error) {
    return fail(error);
  }
  const settled = result instanceof Promise ? result.then(succeed, fail) : succeed(result as never);
  return settled as Result;
}

function endFailed(span: Span, error: unknown): void {
  const code = isParsecError(error) ? error.code : "_OTHER";
  span.setAttribute("error.type", code);
  // A caller who leaves is nobody's fault.
  if (code !== "ABORTED") span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
