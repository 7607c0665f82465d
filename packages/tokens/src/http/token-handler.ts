import type { IncomingMessage, ServerResponse } from "node:http";
import { knownOptions, numberOption } from "@parsec/core/authoring";
import type { TokenService } from "../exchange/token-service.ts";
import { createCachedDocument, sendCachedDocument } from "./cached-document.ts";
import { sendJson } from "./json-response.ts";
import { describeServer, jwksPath, tokenPath } from "./server-metadata.ts";
import { type ExchangeEvent, handleTokenRequest } from "./token-endpoint.ts";

/** Options of `createTokenHandler`. */
export interface TokenHandlerOptions {
  /** Maximum size of a request body; a larger one gets 413. Defaults to 65,536. */
  readonly maxBodyBytes?: number;
  /** The `Retry-After` of 503 responses, in seconds. Defaults to 1. */
  readonly retryAfterSeconds?: number;
  /** Called once per exchange, for logs and metrics. Defaults to none. */
  readonly onExchange?: (event: ExchangeEvent) => void;
}

/** Node's `IncomingMessage`, typed without `@types/node`. Pass the complete object. */
export interface TokenHandlerRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly rawHeaders: readonly string[];
}

/** Node's `ServerResponse`, typed without `@types/node`. Pass the complete object. */
export interface TokenHandlerResponse {
  readonly headersSent: boolean;
  writeHead(status: number): unknown;
  end(): unknown;
}

/** A request listener for Node's servers, and a middleware for Express, Fastify and others. */
export type TokenHandler = (
  request: TokenHandlerRequest,
  response: TokenHandlerResponse,
  next?: () => void,
) => void;

type Endpoint = (request: IncomingMessage, response: ServerResponse, path: string) => void;

interface Route {
  readonly methods: readonly string[];
  readonly handle: Endpoint;
}

const metadataMaxAgeMs = 300_000;

/**
 * Serves the token endpoint, the key set and the metadata. Requests for other paths are passed to
 * `next`, or get 404 without it. When the issuer has a path, the endpoints are served with and without
 * it, in case a proxy strips it. Throws `INVALID_ARGUMENT` for invalid options.
 */
export function createTokenHandler(
  service: TokenService,
  options: TokenHandlerOptions = {},
): TokenHandler {
  knownOptions("createTokenHandler", options, {
    maxBodyBytes: 1,
    retryAfterSeconds: 1,
    onExchange: 1,
  });
  const maxBodyBytes = numberOption("maxBodyBytes", {
    given: options.maxBodyBytes,
    fallback: 65_536,
    min: 1_024,
    max: 16 * 1_048_576,
  });
  const retryAfterSeconds = numberOption("retryAfterSeconds", {
    given: options.retryAfterSeconds,
    fallback: 1,
    min: 1,
    max: 3_600,
  });
  const onExchange = options.onExchange ?? (() => {});

  const token: Endpoint = (request, response, path) =>
    void handleTokenRequest(service, {
      request,
      response,
      path,
      maxBodyBytes,
      retryAfterSeconds,
      onExchange,
    });

  const metadata = createCachedDocument(describeServer(service));
  const describe: Endpoint = (request, response) =>
    sendCachedDocument(request, response, {
      document: metadata,
      maxAgeMs: metadataMaxAgeMs,
      type: "application/json",
    });

  let keys = service.jwks();
  let keyDocument = createCachedDocument({ keys });
  const publishKeys: Endpoint = (request, response) => {
    const latest = service.jwks();
    if (latest !== keys) {
      keys = latest;
      keyDocument = createCachedDocument({ keys });
    }
    sendCachedDocument(request, response, {
      document: keyDocument,
      maxAgeMs: service.jwksMaxAgeMs,
      // Plain JSON as jose and most clients expect; application/jwk-set+json is never required.
      type: "application/json",
    });
  };

  const issuerPath = new URL(service.issuer).pathname.replace(/\/$/, "");
  const routes = new Map<string, Route>();
  const read = ["GET", "HEAD"];
  for (const prefix of new Set(["", issuerPath])) {
    routes.set(prefix + tokenPath, { methods: ["POST"], handle: token });
    routes.set(prefix + jwksPath, { methods: read, handle: publishKeys });
    routes.set(`${prefix}/.well-known/jwks.json`, { methods: read, handle: publishKeys });
    // OpenID Connect appends the well-known part to the issuer; RFC 8414 inserts it before the path.
    routes.set(`${prefix}/.well-known/openid-configuration`, { methods: read, handle: describe });
    routes.set(`/.well-known/oauth-authorization-server${prefix}`, {
      methods: read,
      handle: describe,
    });
  }

  return (listened, answered, next) => {
    const request = listened as IncomingMessage;
    const response = answered as ServerResponse;
    const path = pathOf(request.url ?? "/");
    const route = routes.get(path);
    if (route === undefined) {
      if (next !== undefined) next();
      else sendJson(response, 404, { error: "not_found" });
      return;
    }
    if (!route.methods.includes(request.method ?? "")) {
      const allow = route.methods.join(", ");
      const body = {
        error: "invalid_request",
        error_description: `method must be one of ${allow}`,
      };
      sendJson(response, 405, body, { allow, "cache-control": "no-store", pragma: "no-cache" });
      return;
    }
    route.handle(request, response, path);
  };
}

/** The path of a request target, which is an absolute URL when it came through a forward proxy. */
function pathOf(target: string): string {
  const path = target.startsWith("/") || !URL.canParse(target) ? target : new URL(target).pathname;
  return path.split("?", 1)[0] ?? path;
}
