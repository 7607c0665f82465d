import { ParsecError } from "@parsec/core";
import { errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from "jose";
import type { FoundKeys, JwksSource } from "./jwks-source.ts";
import { scopeOfClaims } from "./scope-claim.ts";
import type { ResolvedTrustedIssuer, ResolvedTrustOptions } from "./trust-options.ts";
import type { VerifiedToken } from "./verified-token.ts";

/** Verifies the tokens of one issuer. */
export interface JwtVerifier {
  /** Rejects with `UNAUTHENTICATED` and the reason, or `ORIGIN_FAILED` when the issuer's keys are unavailable. */
  verify(token: string, header: JWTHeaderParameters): Promise<VerifiedToken>;
}

/** Creates a verifier from an issuer's rules and keys. */
export function createJwtVerifier(
  issuer: ResolvedTrustedIssuer,
  jwks: JwksSource,
  trust: ResolvedTrustOptions,
): JwtVerifier {
  const toleranceMs = trust.clockToleranceMs;

  /** Undefined when no key of these made the signature. */
  const verifyWithAny = async (
    token: string,
    found: FoundKeys,
  ): Promise<JWTPayload | undefined> => {
    for (const key of found.keys) {
      try {
        const { payload } = await jwtVerify(token, key, {
          issuer: issuer.issuer,
          audience: [...issuer.audience],
          algorithms: [...issuer.algorithms],
          clockTolerance: toleranceMs / 1000,
          currentDate: new Date(trust.now()),
          requiredClaims: ["sub", "exp"],
        });
        return payload;
      } catch (reason) {
        if (!(reason instanceof errors.JWSSignatureVerificationFailed)) throw translate(reason);
      }
    }
    return undefined;
  };

  return {
    async verify(token, header) {
      if (!(issuer.algorithms as readonly string[]).includes(header.alg)) {
        throw refused("signature algorithm is not accepted");
      }
      const found = await jwks.keysFor(header);
      if (found.keys.length === 0) throw refused("issuer has no such signing key");
      let claims = await verifyWithAny(token, found);
      if (claims === undefined) {
        const newer = await jwks.newerKeysFor(header, found.edition);
        claims = newer && (await verifyWithAny(token, newer));
      }
      if (claims === undefined) throw refused("signature does not match any key of the issuer");
      checkIssuedAt(claims.iat, trust);
      return describe(claims, { header, issuer, toleranceMs });
    },
  };
}

/** A token of the future would be accepted for longer than its issuer meant. */
function checkIssuedAt(iat: number | undefined, trust: ResolvedTrustOptions): void {
  if (iat !== undefined && iat * 1000 > trust.now() + trust.clockToleranceMs) {
    throw refused("claim iat is in the future");
  }
}

function describe(
  claims: JWTPayload,
  token: {
    readonly header: JWTHeaderParameters;
    readonly issuer: ResolvedTrustedIssuer;
    readonly toleranceMs: number;
  },
): VerifiedToken {
  const { header, issuer, toleranceMs } = token;
  const { sub: subject, exp } = claims;
  if (typeof subject !== "string" || subject === "" || !isPlainText(subject)) {
    throw refused("sub must be a non-empty string without NUL or lone surrogates");
  }
  return {
    issuer: issuer.issuer,
    subject,
    qualifiedSubject: issuer.subjectPrefix + subject,
    acceptedUntilMs: (exp ?? 0) * 1000 + toleranceMs,
    mediaType: mediaTypeOf(header),
    scope: scopeOfClaims(claims),
    claims: deepFreeze(claims),
  };
}

/**
 * Lone surrogates are all encoded as the same replacement character, and databases end text at NUL:
 * either way two subjects could be taken for one.
 */
function isPlainText(text: string): boolean {
  return !text.includes("\0") && !/\p{Surrogate}/u.test(text);
}

/** RFC 7515 §4.1.9: case-insensitive, and "application/" is usually omitted. */
function mediaTypeOf({ typ }: JWTHeaderParameters): string | undefined {
  return typ?.toLowerCase().replace(/^application\//, "");
}

/** The error for a token that is not accepted. The reason is sent to the caller and must not contain secrets. */
export function refused(reason: string, cause?: unknown): ParsecError {
  return new ParsecError("UNAUTHENTICATED", `token is not accepted: ${reason}`, { cause });
}

function translate(reason: unknown): unknown {
  if (reason instanceof errors.JWTExpired) return refused("token has expired", reason);
  if (reason instanceof errors.JWTClaimValidationFailed) {
    const { claim } = reason;
    if (reason.reason === "missing") return refused(`claim ${claim} is missing`, reason);
    return refused(`claim ${claim} has a wrong value`, reason);
  }
  return reason instanceof errors.JOSEError ? refused("token is malformed", reason) : reason;
}

/** Freezes plain data recursively, because user code gets the claims and the memo keeps them. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
