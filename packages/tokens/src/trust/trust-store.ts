import { untilAborted } from "@parsec/core/authoring";
import { decodeJwt, decodeProtectedHeader, type JWTHeaderParameters } from "jose";
import { createJwksSource, type JwksSource } from "./jwks-source.ts";
import { createJwtVerifier, type JwtVerifier, refused } from "./jwt-verifier.ts";
import { resolveTrustOptions, type TrustOptions } from "./trust-options.ts";
import { createVerifiedMemo, tokenDigest } from "./verified-memo.ts";
import type { VerifiedToken } from "./verified-token.ts";

/** Verifies tokens of trusted issuers. */
export interface TrustStore {
  /**
   * Verifies a token. Rejects with `UNAUTHENTICATED` (the token is invalid), `ORIGIN_FAILED` (the
   * issuer's keys are unavailable) or `ABORTED`.
   */
  verify(token: string, options?: { readonly signal?: AbortSignal }): Promise<VerifiedToken>;
  /** Whether the keys of at least one issuer have been fetched. */
  ready(): boolean;
  /** Stops fetching keys. Idempotent. */
  close(): void;
}

/**
 * Creates a trust store for JWTs of the listed issuers. Their keys are fetched in the background.
 * Throws `INVALID_ARGUMENT` for invalid options.
 */
export function createTrustStore(options: TrustOptions): TrustStore {
  const trust = resolveTrustOptions(options);
  const { now } = trust;
  const sources: JwksSource[] = [];
  const verifiers = new Map<string, JwtVerifier>();
  for (const issuer of trust.issuers) {
    const source = createJwksSource({
      url: issuer.jwksUrl,
      maxAgeMs: trust.jwksMaxAgeMs,
      maxStaleMs: trust.jwksMaxStaleMs,
      cooldownMs: trust.jwksCooldownMs,
      retryMs: trust.jwksRetryMs,
      timeoutMs: trust.jwksTimeoutMs,
      maxBytes: trust.jwksMaxBytes,
      now,
    });
    sources.push(source);
    verifiers.set(issuer.issuer, createJwtVerifier(issuer, source, trust));
  }
  const memo = createVerifiedMemo({
    maxBytes: trust.memoMaxBytes,
    maxAgeMs: trust.memoMaxAgeMs,
    now,
  });
  // Singleflight: a stampede often carries the same token, which is then verified once.
  const flights = new Map<string, Promise<VerifiedToken>>();

  const verifyNew = async (token: string, digest: string): Promise<VerifiedToken> => {
    const { header, issuer } = readUnverified(token);
    const verifier = verifiers.get(issuer);
    if (verifier === undefined) throw refused("issuer is not trusted");
    const verified = await verifier.verify(token, header);
    memo.add(digest, verified, token.length);
    return verified;
  };

  return {
    async verify(token, { signal } = {}) {
      if (token.length > trust.maxTokenBytes) {
        throw refused(`token must have at most ${trust.maxTokenBytes} bytes`);
      }
      const digest = tokenDigest(token);
      const known = memo.get(digest);
      if (known !== undefined) return known;
      let work = flights.get(digest);
      if (work === undefined) {
        work = verifyNew(token, digest).finally(() => flights.delete(digest));
        flights.set(digest, work);
      }
      return untilAborted(work, signal);
    },
    ready: () => sources.some((source) => source.ready()),
    close() {
      for (const source of sources) source.close();
    },
  };
}

/** Reads what is needed to find the verifier. Nothing of it is trusted yet. */
function readUnverified(token: string): {
  readonly header: JWTHeaderParameters;
  readonly issuer: string;
} {
  try {
    const header = decodeProtectedHeader(token);
    const { iss } = decodeJwt(token);
    if (typeof header.alg === "string" && typeof iss === "string") {
      return { header: { ...header, alg: header.alg }, issuer: iss };
    }
  } catch (reason) {
    throw refused("token is not a JWT", reason);
  }
  throw refused("token must have an issuer and an algorithm");
}
