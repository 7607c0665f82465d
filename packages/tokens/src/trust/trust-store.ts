import { untilAborted } from "@parsec/core/authoring";
import { decodeJwt, decodeProtectedHeader, type JWTHeaderParameters } from "jose";
import { isCanonicalBase64url } from "../base64url.ts";
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
  /** The issuers whose keys could not be fetched at the last attempt. */
  failures(): readonly TrustFailure[];
  /** Stops fetching keys. Idempotent. */
  close(): void;
}

/** Why the keys of an issuer could not be fetched. */
export interface TrustFailure {
  readonly issuer: string;
  /** The URL, without credentials and query, and the reason. */
  readonly reason: string;
}

/**
 * Creates a trust store for JWTs of the listed issuers. Their keys are fetched in the background.
 * Throws `INVALID_ARGUMENT` for invalid options.
 */
export function createTrustStore(options: TrustOptions): TrustStore {
  const trust = resolveTrustOptions(options);
  const { now } = trust;
  const sources = new Map<string, JwksSource>();
  const verifiers = new Map<string, JwtVerifier>();
  for (const issuer of trust.issuers) {
    const source = createJwksSource({
      issuer: issuer.issuer,
      url: issuer.jwksUrl,
      maxAgeMs: trust.jwksMaxAgeMs,
      maxStaleMs: trust.jwksMaxStaleMs,
      cooldownMs: trust.jwksCooldownMs,
      retryMs: trust.jwksRetryMs,
      timeoutMs: trust.jwksTimeoutMs,
      maxBytes: trust.jwksMaxBytes,
      now,
      onFailure: (reason) => trust.onKeys({ issuer: issuer.issuer, failure: reason }),
    });
    sources.set(issuer.issuer, source);
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
    ready: () => [...sources.values()].some((source) => source.ready()),
    failures: () =>
      [...sources].flatMap(([issuer, source]) => {
        const reason = source.failure();
        return reason === undefined ? [] : [{ issuer, reason }];
      }),
    close() {
      for (const source of sources.values()) source.close();
    },
  };
}

/** Reads what is needed to find the verifier. Nothing of it is trusted yet. */
function readUnverified(token: string): {
  readonly header: JWTHeaderParameters;
  readonly issuer: string;
} {
  // Every other spelling of these parts decodes to the same token, and the signature covers two of them only.
  if (!token.split(".").every(isCanonicalBase64url)) throw refused("token is not a JWT");
  try {
    const header = decodeProtectedHeader(token);
    const { iss } = decodeJwt(token);
    const isText = [header.alg, header.kid ?? "", header.typ ?? "", iss].every(
      (value) => typeof value === "string",
    );
    if (isText && header.alg !== undefined && iss !== undefined) {
      return { header: { ...header, alg: header.alg }, issuer: iss };
    }
  } catch (reason) {
    throw refused("token is not a JWT", reason);
  }
  throw refused("token must have an issuer and an algorithm");
}
