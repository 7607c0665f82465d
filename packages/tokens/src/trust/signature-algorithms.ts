/** Accepted signature algorithms: asymmetric ones only, so that verifiers cannot forge tokens. */
export type SignatureAlgorithm =
  | "ES256"
  | "ES384"
  | "ES512"
  | "EdDSA"
  | "Ed25519"
  | "PS256"
  | "PS384"
  | "PS512"
  | "RS256"
  | "RS384"
  | "RS512";

/** The default allow-list: all of them. `none` and `HS*` cannot be configured. */
export const signatureAlgorithms: readonly SignatureAlgorithm[] = [
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
  "PS256",
  "PS384",
  "PS512",
  "RS256",
  "RS384",
  "RS512",
];
