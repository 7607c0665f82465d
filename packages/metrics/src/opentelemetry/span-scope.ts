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
 * Runs a function inside a span, which ends when the function returns or its promise settles. `scope` is
 * the context with the span. Of an error only the code is recorded, because messages may contain data
 * that must not be in a trace.
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
  // An abort by the caller is not an error.
  if (code !== "ABORTED") span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
