// To run a token service.
export type { ClaimContext, ClaimMapper, MappedClaims } from "./claims/claim-mapper.ts";
export { createPassthroughMapper } from "./claims/passthrough-mapper.ts";
export type { RequestAttributes } from "./claims/request-attributes.ts";
export {
  type CopiedAttribute,
  createRequestAttributesMapper,
  type RequestAttributesMapperOptions,
} from "./claims/request-attributes-mapper.ts";
export type {
  AuthenticatedClient,
  ClientAuthenticationOptions,
  ClientOptions,
} from "./exchange/client-authentication.ts";
export { isOAuthError, OAuthError, type OAuthErrorCode } from "./exchange/oauth-error.ts";
export {
  createTokenService,
  type ExchangeRequest,
  type ExchangeResponse,
  type TokenService,
} from "./exchange/token-service.ts";
export type { TokenServiceOptions } from "./exchange/token-service-options.ts";
export type { IssuedTokenType } from "./exchange/token-types.ts";
export type { ExchangeEvent } from "./http/token-endpoint.ts";
export {
  createTokenHandler,
  type TokenHandler,
  type TokenHandlerOptions,
  type TokenHandlerRequest,
  type TokenHandlerResponse,
} from "./http/token-handler.ts";
export { createDerivedKeySource, type DerivedKeySourceOptions } from "./keys/derived-key-source.ts";
// To implement another key source.
export type { KeySet, KeySource, PublicSigningJwk, SigningKey } from "./keys/key-source.ts";
export { createStaticKeySource, type StaticKeySourceOptions } from "./keys/static-key-source.ts";
export { weaknessOf } from "./keys/weak-secret.ts";
export {
  subjectCacheInput,
  subjectCacheKey,
  type TokenDataSource,
  type TokenDataSourceInput,
  type TokenDataSources,
} from "./sources/token-data-source.ts";
export type { SignatureAlgorithm } from "./trust/signature-algorithms.ts";
export type { TrustedIssuerOptions, TrustKeysEvent, TrustOptions } from "./trust/trust-options.ts";
export { createTrustStore, type TrustFailure, type TrustStore } from "./trust/trust-store.ts";
export type { VerifiedToken } from "./trust/verified-token.ts";
export type { WallClock } from "./wall-clock.ts";
