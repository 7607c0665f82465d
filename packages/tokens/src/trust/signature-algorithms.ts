/** Algorithms a subject token may be signed with: asymmetric ones only, so that no verifier can forge. */
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

/** All of them; the default allow-list. `none` and `HS*` can never be configured. */
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
