/** The `grant_type` of RFC 8693 §2.1. */
export const tokenExchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange";

/** The supported token types of RFC 8693 §3. */
export const accessTokenType = "urn:ietf:params:oauth:token-type:access_token";
export const jwtTokenType = "urn:ietf:params:oauth:token-type:jwt";
export const idTokenType = "urn:ietf:params:oauth:token-type:id_token";

/** Token types of subject and actor tokens: all of them are JWTs. */
export type PresentedTokenType = typeof accessTokenType | typeof jwtTokenType | typeof idTokenType;

/** Token types that can be requested: an access token or a JWT (RFC 8693 §3). */
export type IssuedTokenType = typeof accessTokenType | typeof jwtTokenType;

/** Whether tokens of this type can be exchanged. */
export function isPresentedTokenType(type: string): type is PresentedTokenType {
  return type === accessTokenType || type === jwtTokenType || type === idTokenType;
}
