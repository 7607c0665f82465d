import { knownOptions } from "@parsec/core/authoring";
import type { ClaimMapper } from "./claim-mapper.ts";
import { checkMappedClaim } from "./registered-claims.ts";

/**
 * Copies the listed claims of the subject token, if present. There is no option for all claims, so that
 * a claim the identity provider adds later does not get into your tokens unnoticed.
 * Throws `INVALID_ARGUMENT` when a registered claim is listed.
 */
export function createPassthroughMapper(options: {
  readonly claims: readonly string[];
}): ClaimMapper {
  knownOptions("createPassthroughMapper", options, { claims: 1 });
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
