import { numberOption } from "@parsec/core/authoring";
import { invalidOption } from "../option-checks.ts";
import type { KeySource, SigningKey } from "./key-source.ts";
import { p256KeyFromScalar } from "./p256-key.ts";

/** Keys that somebody else rotates. */
export interface StaticKeySourceOptions {
  /** Private P-256 JWKs. The first signs, all are published: put a new key last, and first a while later. */
  readonly jwks: readonly {
    readonly kty?: unknown;
    readonly crv?: unknown;
    readonly d?: unknown;
  }[];
  /** Defaults to 300,000. */
  readonly jwksMaxAgeMs?: number;
  /** Defaults to 3,600,000. */
  readonly maxTokenTtlMs?: number;
}

/** Signs with keys given as JWKs. Throws `INVALID_ARGUMENT` for anything but private P-256 keys. */
export function createStaticKeySource(options: StaticKeySourceOptions): KeySource {
  const keys = options.jwks.map(importKey);
  const [signing] = keys;
  if (signing === undefined) throw invalidOption("jwks", "must hold at least one private key");
  const keySet = { signing, published: keys.map((key) => key.publicJwk) };
  const limits = { min: 1_000, max: 86_400_000 };
  return {
    keysAt: () => keySet,
    jwksMaxAgeMs: numberOption("jwksMaxAgeMs", {
      given: options.jwksMaxAgeMs,
      fallback: 300_000,
      ...limits,
    }),
    maxTokenTtlMs: numberOption("maxTokenTtlMs", {
      given: options.maxTokenTtlMs,
      fallback: 3_600_000,
      ...limits,
    }),
    close() {},
  };
}

function importKey(jwk: StaticKeySourceOptions["jwks"][number], index: number): SigningKey {
  const { kty, crv, d } = jwk;
  const scalar = Buffer.from(typeof d === "string" ? d : "", "base64url");
  if (kty === "EC" && crv === "P-256" && scalar.length === 32) {
    try {
      return p256KeyFromScalar(scalar);
    } catch {
      // Falls through: the scalar is zero or beyond the group's order. The cause could show the key.
    }
  }
  throw invalidOption(`jwks[${index}]`, 'must be a private JWK with kty "EC", crv "P-256" and d');
}
