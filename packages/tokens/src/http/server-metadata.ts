import type { TokenService } from "../exchange/token-service.ts";
import { tokenExchangeGrant } from "../exchange/token-types.ts";

/** Paths of the endpoints, relative to the issuer. */
export const tokenPath = "/v1/token";
export const jwksPath = "/v1/jwks.json";

/** Authorization server metadata (RFC 8414 §2). */
export interface ServerMetadata {
  readonly issuer: string;
  readonly token_endpoint: string;
  readonly jwks_uri: string;
  readonly response_types_supported: readonly string[];
  readonly grant_types_supported: readonly string[];
  readonly token_endpoint_auth_methods_supported: readonly string[];
}

/**
 * The metadata of the service. `response_types_supported` is `["none"]`, the registered response type
 * without code and token: RFC 8414 §2 requires the member, also without an authorization endpoint, and
 * §3.2 forbids an empty list.
 */
export function describeServer(service: TokenService): ServerMetadata {
  const base = service.issuer.replace(/\/$/, "");
  return {
    issuer: service.issuer,
    token_endpoint: base + tokenPath,
    jwks_uri: base + jwksPath,
    response_types_supported: ["none"],
    grant_types_supported: [tokenExchangeGrant],
    token_endpoint_auth_methods_supported: service.clientAuthMethods,
  };
}
