import { ParsecError } from "@parsec/core";
import { errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from "jose";
import { deepFreeze } from "../deep-freeze.ts";
import type { JwksSource } from "./jwks-source.ts";
import { scopeOfClaims } from "./scope-claim.ts";
import type { ResolvedTrustedIssuer, ResolvedTrustOptions } from "./trust-options.ts";
import type { VerifiedToken } from "./verified-token.ts";

/** Checks the tokens of one issuer. */
export interface JwtVerifier {
  /** Rejects with `UNAUTHENTICATED` and the reason, or `ORIGIN_FAILED` when the keys are out of reach. */
  verify(token: string, header: JWTHeaderParameters): Promise<VerifiedToken>;
}

/** Binds an issuer's rules to its keys. */
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
    throw refused("its signature does not match any key of its issuer");
  };

  return {
    async verify(token, header) {
      if (!(issuer.algorithms as readonly string[]).includes(header.alg)) {
        throw refused("its signature algorithm is not accepted");
      }
      const keys = await jwks.keysFor(header);
      if (keys.length === 0) throw refused("its issuer has no such signing key");
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
    throw refused("its subject is no usable text");
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
 * Lone surrogates all become the same replacement character when encoded, and databases end text at
 * NUL: either way two different subjects could meet in one row.
 */
function isPlainText(text: string): boolean {
  return !text.includes("\0") && !/\p{Surrogate}/u.test(text);
}

/** A token that cannot be accepted. The reason is for the caller's eyes and says nothing secret. */
export function refused(reason: string, cause?: unknown): ParsecError {
  return new ParsecError("UNAUTHENTICATED", `the token is not accepted: ${reason}`, { cause });
}

function translate(reason: unknown): unknown {
  if (reason instanceof errors.JWTExpired) return refused("it has expired", reason);
  if (reason instanceof errors.JWTClaimValidationFailed) {
    const { claim } = reason;
    if (reason.reason === "missing") return refused(`it has no "${claim}" claim`, reason);
    return refused(`its "${claim}" claim does not fit`, reason);
  }
  return reason instanceof errors.JOSEError ? refused("it is malformed", reason) : reason;
}
