/** The `grant_type` of RFC 8693 §2.1. */
export const tokenExchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange";

/** The supported token types of RFC 8693 §3. */
export const accessTokenType = "urn:ietf:params:oauth:token-type:access_token";
export const jwtTokenType = "urn:ietf:params:oauth:token-type:jwt";
const idTokenType = "urn:ietf:params:oauth:token-type:id_token";

/** Token types of subject and actor tokens. All three are JWTs and verified the same way. */
export const acceptedTokenTypes: ReadonlySet<string> = new Set([
  accessTokenType,
  jwtTokenType,
  idTokenType,
]);

/** Token types that can be requested: an access token or a JWT (RFC 8693 §3). */
export type IssuedTokenType = typeof accessTokenType | typeof jwtTokenType;
