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
  readonly grant_types_supported: readonly string[];
  readonly token_endpoint_auth_methods_supported: readonly string[];
}

/**
 * The metadata of the service. `response_types_supported` is omitted although RFC 8414 requires it:
 * there is no authorization endpoint, and the RFC also requires empty lists to be omitted.
 */
export function describeServer(service: TokenService): ServerMetadata {
  const base = service.issuer.replace(/\/$/, "");
  return {
    issuer: service.issuer,
    token_endpoint: base + tokenPath,
    jwks_uri: base + jwksPath,
    grant_types_supported: [tokenExchangeGrant],
    token_endpoint_auth_methods_supported: service.clientAuthMethods,
  };
}
