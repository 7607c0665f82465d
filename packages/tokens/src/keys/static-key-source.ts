import { invalidArgument, knownOptions, numberOption } from "@parsec/core/authoring";
import { isCanonicalBase64url } from "../base64url.ts";
import type { KeySource, SigningKey } from "./key-source.ts";
import { p256KeyFromScalar } from "./p256-key.ts";

/** Options of `createStaticKeySource`. Times in milliseconds. */
export interface StaticKeySourceOptions {
  /** Private P-256 JWKs. The first signs and all are published. To rotate, add a new key at the end, and move it to the front after `jwksMaxAgeMs`. */
  readonly jwks: readonly {
    readonly kty?: unknown;
    readonly crv?: unknown;
    readonly d?: unknown;
  }[];
  /** How long verifiers may cache the key set. Defaults to 300,000. */
  readonly jwksMaxAgeMs?: number;
  /** Maximum lifetime of a token. Defaults to 3,600,000. */
  readonly maxTokenTtlMs?: number;
}

/** Signs with fixed keys, for keys that are rotated externally. Throws `INVALID_ARGUMENT` for anything but private P-256 JWKs. */
export function createStaticKeySource(options: StaticKeySourceOptions): KeySource {
  knownOptions("createStaticKeySource", options, { jwks: 1, jwksMaxAgeMs: 1, maxTokenTtlMs: 1 });
  const keys = options.jwks.map(importKey);
  const [signing] = keys;
  if (signing === undefined) throw invalidArgument("jwks must contain at least one private key");
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

/** The private P-256 keys of RFC 7515 A.3, RFC 7517 A.2, and RFC 7518 C. */
const publishedKeys: ReadonlySet<string> = new Set([
  "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
  "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
  "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo",
  "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
]);

function importKey(jwk: StaticKeySourceOptions["jwks"][number], index: number): SigningKey {
  const { kty, crv, d } = jwk;
  const text = typeof d === "string" && isCanonicalBase64url(d) ? d : "";
  if (publishedKeys.has(text)) {
    throw invalidArgument(`jwks[${index}].d must not be an example of an RFC`);
  }
  const scalar = Buffer.from(text, "base64url");
  if (kty === "EC" && crv === "P-256" && scalar.length === 32) {
    try {
      return p256KeyFromScalar(scalar);
    } catch {
      // The scalar is out of range. The cause is not kept because it could contain the key.
    }
  }
  throw invalidArgument(
    `jwks[${index}] must be a private JWK with kty "EC", crv "P-256" and a valid d`,
  );
}
