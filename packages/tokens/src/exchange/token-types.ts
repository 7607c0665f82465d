/** The `grant_type` of RFC 8693 §2.1. */
export const tokenExchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange";

/** Token types of RFC 8693 §3 that are spoken here. */
export const accessTokenType = "urn:ietf:params:oauth:token-type:access_token";
export const jwtTokenType = "urn:ietf:params:oauth:token-type:jwt";
const idTokenType = "urn:ietf:params:oauth:token-type:id_token";

/** What may be sent: all three are JWTs and checked alike. */
export const acceptedTokenTypes: ReadonlySet<string> = new Set([
  accessTokenType,
  jwtTokenType,
  idTokenType,
]);

/** What may be asked for. */
export type IssuedTokenType = typeof accessTokenType | typeof jwtTokenType;
