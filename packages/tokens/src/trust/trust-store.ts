import { decodeJwt, decodeProtectedHeader, type JWTHeaderParameters } from "jose";
import { waitFor } from "../deadline.ts";
import { createJwksSource, type JwksSource } from "./jwks-source.ts";
import { createJwtVerifier, type JwtVerifier, refused } from "./jwt-verifier.ts";
import { resolveTrustOptions, type TrustOptions } from "./trust-options.ts";
import { createVerifiedMemo, tokenDigest } from "./verified-memo.ts";
import type { VerifiedToken } from "./verified-token.ts";

/** Decides which credentials are believed. */
export interface TrustStore {
  /**
   * Checks a token. Rejects with `UNAUTHENTICATED` (the token is at fault), `ORIGIN_FAILED` (its
   * issuer's keys are out of reach) or `ABORTED`.
   */
  verify(token: string, options?: { readonly signal?: AbortSignal }): Promise<VerifiedToken>;
  /** Whether the keys of at least one issuer have arrived. */
  ready(): boolean;
  /** Stops fetching keys. */
  close(): void;
}

/**
 * Trusts JWTs of the listed issuers. Fetches their keys in the background and starts without them.
 * Throws `INVALID_ARGUMENT` for options out of range.
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
  // A stampede often carries one and the same token: it is verified once for all of them.
  const underWay = new Map<string, Promise<VerifiedToken>>();

  const verifyNew = async (token: string, digest: string): Promise<VerifiedToken> => {
    const { header, issuer } = readUnverified(token);
    const verifier = verifiers.get(issuer);
    if (verifier === undefined) throw refused("its issuer is not trusted here");
    const verified = await verifier.verify(token, header);
    memo.add(digest, verified, token.length);
    return verified;
  };

  return {
    async verify(token, { signal } = {}) {
      if (token.length > trust.maxTokenBytes) {
        throw refused(`it is longer than ${trust.maxTokenBytes} bytes`);
      }
      const digest = tokenDigest(token);
      const known = memo.get(digest);
      if (known !== undefined) return known;
      let work = underWay.get(digest);
      if (work === undefined) {
        work = verifyNew(token, digest).finally(() => underWay.delete(digest));
        underWay.set(digest, work);
      }
      return waitFor(work, signal);
    },
    ready: () => sources.some((source) => source.ready()),
    close() {
      for (const source of sources) source.close();
    },
  };
}

/** Reads only what is needed to find the right verifier; nothing of it is believed yet. */
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
    throw refused("it is no JWT", reason);
  }
  throw refused("it has no issuer or no algorithm");
}
