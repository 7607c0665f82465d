import type { IncomingMessage, ServerResponse } from "node:http";
import { OAuthError, type OAuthErrorCode, toOAuthError } from "../exchange/oauth-error.ts";
import type { TokenService } from "../exchange/token-service.ts";
import { BodyTooLargeError, readForm } from "./form-body.ts";
import { sendJson } from "./json-response.ts";
import { describeRequest } from "./request-description.ts";

/** The outcome of one exchange, for logs and metrics. */
export interface ExchangeEvent {
  /** `issued`, the OAuth error code of the response, or `abandoned` when the client disconnected before the response. */
  readonly outcome: "issued" | "abandoned" | OAuthErrorCode;
  /** Time from the request to the response, in milliseconds. */
  readonly durationMs: number;
  /** Undefined when a token was issued. Its `cause` may contain internals, but never a token. */
  readonly error: OAuthError | undefined;
}

/** Resolved options of the token endpoint. */
export interface TokenEndpointOptions {
  readonly maxBodyBytes: number;
  readonly retryAfterSeconds: number;
  readonly onExchange: (event: ExchangeEvent) => void;
}

/** RFC 6749 §5.1: responses of this endpoint must not be cached, errors included. */
const noStore = { "cache-control": "no-store", pragma: "no-cache" };

/** How long a refused body is still read, so that the client receives the response instead of a reset. */
const maxDrainMs = 1_000;

/** Handles `POST /v1/token`. Never rejects. */
export async function handleTokenRequest(
  service: TokenService,
  exchangeOptions: TokenEndpointOptions & {
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly path: string;
  },
): Promise<void> {
  const { request, response, path, maxBodyBytes, onExchange } = exchangeOptions;
  const startMs = performance.now();
  const caller = new AbortController();
  const onClose = (): void => caller.abort();
  response.once("close", onClose);
  try {
    const form = await readForm(request, { maxBytes: maxBodyBytes });
    const { authorization, dpop } = request.headers;
    if (dpop !== undefined) {
      // Ignoring the proof would answer a request for a bound token with one that anybody can use.
      throw new OAuthError("invalid_request", "DPoP proofs are not supported");
    }
    const attributes = describeRequest(request, path);
    const body = await service.exchange(
      { form, authorization, attributes },
      { signal: caller.signal },
    );
    sendJson(response, 200, body, noStore);
    onExchange({ outcome: "issued", durationMs: performance.now() - startMs, error: undefined });
  } catch (reason) {
    const error = toOAuthError(reason);
    const outcome = response.destroyed ? "abandoned" : error.oauthCode;
    sendError(exchangeOptions, error);
    onExchange({ outcome, durationMs: performance.now() - startMs, error });
  } finally {
    response.off("close", onClose);
  }
}

function sendError(
  options: TokenEndpointOptions & {
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
  },
  error: OAuthError,
): void {
  const { request, response } = options;
  const body = { error: error.oauthCode, error_description: error.message };
  const headers: Record<string, string> = { ...noStore };
  if (error.oauthCode === "temporarily_unavailable") {
    const seconds = Math.ceil((error.retryAfterMs ?? 0) / 1000);
    headers["retry-after"] = String(Math.max(options.retryAfterSeconds, seconds));
  }
  // RFC 6749 §5.2 requires a challenge when the header was used; otherwise clients read the JSON.
  if (error.oauthCode === "invalid_client" && request.headers.authorization !== undefined) {
    headers["www-authenticate"] = 'Basic realm="token endpoint", charset="UTF-8"';
  }
  if (!request.complete) {
    // The rest of the body would be parsed as the next request.
    headers.connection = "close";
    request.resume();
    const timer = setTimeout(() => request.destroy(), maxDrainMs);
    timer.unref();
    request.once("close", () => clearTimeout(timer));
  }
  sendJson(response, statusOf(error), body, headers);
}

function statusOf(error: OAuthError): number {
  if (error instanceof BodyTooLargeError) return 413;
  switch (error.oauthCode) {
    case "invalid_client":
      return 401;
    case "temporarily_unavailable":
      return 503;
    case "server_error":
      return 500;
    default:
      return 400;
  }
}
