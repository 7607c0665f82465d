import { ParsecError } from "@parsec/core";
import { errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from "jose";
import type { JwksSource } from "./jwks-source.ts";
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

  const verifyWithAny = async (
    token: string,
    keys: Awaited<ReturnType<JwksSource["keysFor"]>>,
  ): Promise<JWTPayload> => {
    for (const key of keys) {
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
        if (!(reason instanceof errors.JWSSignatureVerificationFailed)) throw reason;
      }
    }
    throw refused("signature does not match any key of the issuer");
  };

  return {
    async verify(token, header) {
      if (!(issuer.algorithms as readonly string[]).includes(header.alg)) {
        throw refused("signature algorithm is not accepted");
      }
      const keys = await jwks.keysFor(header);
      if (keys.length === 0) throw refused("issuer has no such signing key");
      const claims = await verifyWithAny(token, keys).catch((reason: unknown) => {
        throw translate(reason);
      });
      return describe(claims, issuer, toleranceMs);
    },
  };
}

function describe(
  claims: JWTPayload,
  issuer: ResolvedTrustedIssuer,
  toleranceMs: number,
): VerifiedToken {
  const { sub: subject, exp } = claims;
  if (typeof subject !== "string" || subject === "" || !isPlainText(subject)) {
    throw refused("sub must be a non-empty string without NUL or lone surrogates");
  }
  return {
    issuer: issuer.issuer,
    subject,
    qualifiedSubject: issuer.subjectPrefix + subject,
    acceptedUntilMs: (exp ?? 0) * 1000 + toleranceMs,
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
