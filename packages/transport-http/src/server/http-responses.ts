import type { ServerResponse } from "node:http";
import type { ParsecErrorCode } from "@parsec/core";
import { authScheme } from "@parsec/core/transport";

const names: Readonly<Record<number, string>> = {
  400: "bad_request",
  401: "unauthorized",
  404: "not_found",
  405: "method_not_allowed",
  408: "request_timeout",
  413: "payload_too_large",
  415: "unsupported_media_type",
  421: "misdirected_request",
  500: "internal_error",
  503: "service_unavailable",
};

/** An error response to a refused request. */
export interface Refusal {
  readonly status: number;
  readonly code: ParsecErrorCode;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Closes the connection, because the rest of the request is not read. */
  readonly closes?: boolean;
}

/** Sends the refusal as JSON with `error` (name of the status), `code` (`ParsecErrorCode`) and `message`. */
export function refuse(response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { status, code, message } = refusal;
  const error = names[status] ?? "error";
  const body = Buffer.from(JSON.stringify({ error, code, message }));
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": body.length,
    ...(status === 401 ? { "www-authenticate": authScheme } : {}),
    ...(refusal.closes === true ? { connection: "close" } : {}),
    ...refusal.headers,
  });
  response.end(body);
}
