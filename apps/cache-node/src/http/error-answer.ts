import { isParsecError, type ParsecErrorCode } from "@parsec/core";
import { RequestRefusal } from "./request-refusal.ts";

/** The HTTP answer of an error. */
export interface ErrorAnswer {
  readonly status: number;
  readonly body: { readonly error: string; readonly code: string };
  readonly headers: Readonly<Record<string, string>>;
}

const tryAgain = { "retry-after": "1" };

/** Status and headers of each error code of the ring; other errors are internal errors. */
const statuses: Partial<Record<ParsecErrorCode, number>> = {
  INVALID_ARGUMENT: 400,
  INVALID_KEY: 400,
  KEY_TOO_LARGE: 413,
  VALUE_TOO_LARGE: 413,
  OVERLOADED: 503,
  PEER_UNREACHABLE: 503,
  CLOSED: 503,
  ABORTED: 503,
  TIMEOUT: 504,
};

/** Answers for errors of Fastify. */
const refusals: Readonly<Record<string, { status: number; code: string; message: string }>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    status: 415,
    code: "UNSUPPORTED_MEDIA_TYPE",
    message: "the content type must be application/json",
  },
  FST_ERR_CTP_BODY_TOO_LARGE: {
    status: 413,
    code: "BODY_TOO_LARGE",
    message: "the body is too large",
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    status: 400,
    code: "INVALID_ARGUMENT",
    message: "the body must have the announced length",
  },
  FST_ERR_BAD_URL: { status: 400, code: "INVALID_ARGUMENT", message: "the URL is malformed" },
};

/** Translates an error of a handler or of Fastify; an unexpected error reveals no details. */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (error instanceof RequestRefusal) {
    const { status, code, message, headers } = error;
    return { status, body: { error: message, code }, headers };
  }
  if (isParsecError(error)) {
    const status = statuses[error.code];
    if (status !== undefined) {
      const body = { error: error.message, code: error.code };
      return { status, body, headers: status >= 500 ? tryAgain : {} };
    }
  }
  const refusal = refusals[(error as { readonly code?: string } | undefined)?.code ?? ""];
  if (refusal !== undefined) {
    const { status, code, message } = refusal;
    return { status, body: { error: message, code }, headers: {} };
  }
  const body = { error: "internal error (see the log)", code: "INTERNAL" };
  return { status: 500, body, headers: {} };
}
