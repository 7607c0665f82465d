import type { ClaimMapper } from "./claim-mapper.ts";
import { checkMappedClaim } from "./registered-claims.ts";

/**
 * Copies the listed claims of the subject token, where it has them. There is no "all": a claim that
 * an identity provider adds tomorrow must not end up in your tokens by itself.
 * Throws `INVALID_ARGUMENT` when a registered claim is listed.
 */
export function createPassthroughMapper(options: {
  readonly claims: readonly string[];
}): ClaimMapper {
  const name = "passthrough";
  const claims = [...options.claims];
  for (const claim of claims) checkMappedClaim(name, claim);
  return {
    name,
    map: ({ subject }) =>
      Object.fromEntries(
        claims
          .filter((claim) => Object.hasOwn(subject.claims, claim))
          .map((claim) => [claim, subject.claims[claim]]),
      ),
  };
}
