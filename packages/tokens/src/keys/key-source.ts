/** A public P-256 key in the format of a key set (RFC 7517). */
export interface PublicSigningJwk {
  readonly kty: "EC";
  readonly crv: "P-256";
  /** X coordinate, base64url. */
  readonly x: string;
  /** Y coordinate, base64url. */
  readonly y: string;
  /** RFC 7638 thumbprint. */
  readonly kid: string;
  readonly alg: "ES256";
  readonly use: "sig";
}

/** A private key. */
export interface SigningKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string;
  /** The public key. */
  readonly publicJwk: PublicSigningJwk;
  /** Signs with ES256. Returns r and s concatenated (JWS format); a promise when the key is in a remote service. */
  sign(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** The keys at one point in time. */
export interface KeySet {
  /** Signs new tokens. */
  readonly signing: SigningKey;
  /** All keys that verifiers need: upcoming ones, the signing one, and old ones with unexpired tokens. */
  readonly published: readonly PublicSigningJwk[];
}

/**
 * Provides signing keys. All nodes of a cluster act as one issuer, so each must publish the keys of all
 * nodes at any time.
 */
export interface KeySource {
  /**
   * The keys at `nowMs` (ms since the epoch). Synchronous, so a source that coordinates with other nodes
   * must do so in advance. Returns the same object until the keys change.
   */
  keysAt(nowMs: number): KeySet;
  /** How long verifiers may cache the key set. A new key is published for at least this time before it signs; for longer where verifiers cache longer. */
  readonly jwksMaxAgeMs: number;
  /** Maximum lifetime of a token. Old keys stay published for this time after their last signature. */
  readonly maxTokenTtlMs: number;
  /** Stops background work. Idempotent. */
  close(): void;
}
