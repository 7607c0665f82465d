/** A public P-256 key as it appears in a key set (RFC 7517). */
export interface PublicSigningJwk {
  readonly kty: "EC";
  readonly crv: "P-256";
  readonly x: string;
  readonly y: string;
  readonly kid: string;
  readonly alg: "ES256";
  readonly use: "sig";
}

/** A key that can sign. */
export interface SigningKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string;
  readonly publicJwk: PublicSigningJwk;
  /** Signs with ES256; r and s side by side, as JWS wants them. A key held elsewhere answers by a promise. */
  sign(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** The keys at one moment. */
export interface KeySet {
  readonly signing: SigningKey;
  /** Everything a verifier must know now: coming keys, the signing one, and old ones whose tokens live on. */
  readonly published: readonly PublicSigningJwk[];
}

/**
 * Where signing keys come from. All nodes of a cluster are one issuer to the outside, so at every
 * moment each must publish whatever any of them signs with.
 */
export interface KeySource {
  /**
   * The keys at `nowMs` (ms since the epoch). Synchronous: a source that agrees on keys with other
   * nodes does so ahead of time. Returns the same object while nothing changed.
   */
  keysAt(nowMs: number): KeySet;
  /** How long a verifier may keep the key set. A new key is published at least so long before it signs. */
  readonly jwksMaxAgeMs: number;
  /** No token may live longer: old keys are published for so long after their last signature. */
  readonly maxTokenTtlMs: number;
  /** Stops whatever keeps the keys fresh. Closing twice is fine. */
  close(): void;
}
